#include "client/foreign_pools.h"

#include <atomic>

#include "client/misuse.h"
#include "client/pools.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "recorder/recorder.h"

namespace memprof {
namespace {

// A place is taken for good, and its key stays: pools come again at the addresses of those that went.
struct Place {
  std::atomic<uint64_t> foreign;  // 0: free
  std::atomic<uint64_t> own;      // 0: none at present
};
constexpr uint64_t kPlaces = 1u << 18;
constinit std::atomic<Place*> places{nullptr};
constinit RareLock making;

// nullptr: it is not there, or there is no room.
Place* find(uint64_t foreign, bool is_to_be_made) {
  Place* const all = places.load(std::memory_order_acquire);  // pairs with the release of who maps it
  if (all == nullptr) return nullptr;
  uint64_t at = (foreign >> 3) * 0x9E3779B97F4A7C15 >> 46;
  for (uint64_t n = 0; n < kPlaces; ++n, at = (at + 1) & (kPlaces - 1)) {
    uint64_t found = all[at].foreign.load(std::memory_order_acquire);
    if (found == 0 && is_to_be_made) all[at].foreign.compare_exchange_strong(found, foreign, std::memory_order_acq_rel);
    if (found == foreign || (found == 0 && is_to_be_made)) return &all[at];
    if (found == 0) return nullptr;
  }
  return nullptr;
}

bool map_places() {
  if (places.load(std::memory_order_acquire) != nullptr) return true;
  const RareGuard guard(making);
  if (!guard.held()) return false;
  if (places.load(std::memory_order_relaxed) == nullptr) {
    places.store(static_cast<Place*>(sys::map_anonymous(kPlaces * sizeof(Place))), std::memory_order_release);
  }
  return places.load(std::memory_order_relaxed) != nullptr;
}

}  // namespace

void note_foreign_pool_alloc(uint64_t pool, void* block, size_t size_bytes, format::Function function,
                             const CapturePoint& caller) {
  Place* const place = map_places() ? find(pool, true) : nullptr;
  if (place == nullptr) return count_misuse(format::Misuse::too_many);
  uint64_t own = place->own.load(std::memory_order_acquire);
  if (own == 0) {
    const uint64_t made = create_pool_in(static_cast<uint16_t>(format::Domain::pool), 0);
    if (place->own.compare_exchange_strong(own, made, std::memory_order_acq_rel)) {
      own = made;
    } else {
      destroy_pool(made, caller);  // another thread was quicker
    }
  }
  if (own != 0 && keep_in_pool(own, block)) record_alloc(block, size_bytes, function, caller);
}

void end_foreign_pool(uint64_t pool, format::Function function, const CapturePoint& caller) {
  Place* const place = find(pool, false);
  const uint64_t own = place != nullptr ? place->own.exchange(0, std::memory_order_acq_rel) : 0;
  if (own != 0) end_pool(own, function, caller);
}

}  // namespace memprof
