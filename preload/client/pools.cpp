#include "client/pools.h"

#include <atomic>

#include "client/misuse.h"
#include "client/tags.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "recorder/recorder.h"
#include "thread_state/thread_state.h"

namespace memprof {

using format::Misuse;

namespace {

constexpr uint64_t kNothing = 0, kRemoved = 1;  // no addresses of blocks

// Addresses, found by their hash.
struct AddressSet {
  uint64_t places;  // a power of two
  uint64_t used;    // removed ones included; no more than a hint

  // They stand behind it.
  uint64_t& address(uint64_t at) { return reinterpret_cast<uint64_t*>(this + 1)[at]; }
  uint64_t address(uint64_t at) const { return reinterpret_cast<const uint64_t*>(this + 1)[at]; }
  static size_t bytes(uint64_t places) { return sizeof(AddressSet) + places * sizeof(uint64_t); }
  uint64_t place_of(uint64_t wanted) const { return (wanted >> 3) * 0x9E3779B97F4A7C15 >> 20 & (places - 1); }
};

constexpr uint64_t kFirstPlaces = 128;
constexpr uint32_t kMostPools = 1u << 16;

struct Pool {
  uint64_t number;  // 0: free; its low bits are the place of the pool
  AddressSet* blocks;
  uint16_t domain;
  uint16_t user_tag;
  std::atomic<uint32_t> holder;  // thread id
  uintptr_t held_at;             // the holder's stack
  uint32_t next_free;
};

constinit std::atomic<Pool*> pools{nullptr};
constinit RareLock pools_lock;
constinit uint32_t first_free = 0;  // 0: none, as the first pool has place 1
constinit uint32_t pools_made = 0;
constinit uint64_t generation = 0;

AddressSet* make_set(uint64_t places) {
  auto* const set = static_cast<AddressSet*>(sys::map_anonymous(AddressSet::bytes(places)));
  if (set != nullptr) set->places = places;
  return set;
}
void drop_set(AddressSet* set) { sys::unmap_anonymous(set, AddressSet::bytes(set->places)); }

uint64_t* find(AddressSet& set, uint64_t wanted) {
  for (uint64_t at = set.place_of(wanted), n = 0; n < set.places; at = (at + 1) & (set.places - 1), ++n) {
    if (set.address(at) == wanted) return &set.address(at);
    if (set.address(at) == kNothing) return nullptr;
  }
  return nullptr;
}

void put(AddressSet& set, uint64_t address) {
  for (uint64_t at = set.place_of(address), n = 0; n < set.places; at = (at + 1) & (set.places - 1), ++n) {
    if (set.address(at) == kNothing) ++set.used;
    if (set.address(at) > kRemoved && set.address(at) != address) continue;
    set.address(at) = address;
    return;
  }
}

template <class Visit>
void visit(const AddressSet& set, Visit&& visit_address) {
  for (uint64_t at = 0; at < set.places; ++at)
    if (set.address(at) > kRemoved) visit_address(set.address(at));
}

// Room for one more: a new table when removed ones and blocks fill three quarters.
bool make_room(Pool& pool) {
  AddressSet* const old = pool.blocks;
  if (old != nullptr && old->used * 4 < old->places * 3) return true;
  uint64_t live = 0;
  if (old != nullptr) visit(*old, [&](uint64_t) { ++live; });
  uint64_t places = kFirstPlaces;
  while (places < (live + 1) * 2) places *= 2;
  AddressSet* const more = make_set(places);
  if (more == nullptr) return false;
  if (old != nullptr) visit(*old, [&](uint64_t address) { put(*more, address); });
  std::atomic_ref(pool.blocks).store(more, std::memory_order_release);
  if (old != nullptr) drop_set(old);
  return true;
}

// Without asking the kernel, where the thread records.
uint32_t own_thread_id() {
  const ThreadState* const state = current_state;
  if (state != nullptr && state->generation == recording_control->generation) return state->thread_id;
  return sys::thread_id();
}

class PoolGuard {
 public:
  explicit PoolGuard(Pool& pool) : pool_(pool), held_(take()) {
    if (!held_) count_dropped(format::DropCause::nested);
  }
  ~PoolGuard() {
    if (held_) pool_.holder.store(0, std::memory_order_release);
  }
  PoolGuard(const PoolGuard&) = delete;
  PoolGuard& operator=(const PoolGuard&) = delete;
  bool held() const { return held_; }

 private:
  bool take() {
    const uint32_t own = own_thread_id();
    const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    for (uint32_t tries = 1;; ++tries) {
      uint32_t holder = 0;
      // acquire: pairs with the release of the previous holder
      if (pool_.holder.compare_exchange_strong(holder, own, std::memory_order_acquire)) break;
      if (holder == own) {
        if (here < pool_.held_at) return false;  // a handler of ours, above what it interrupted
        break;                                   // left by a longjmp
      }
      if (!sys::may_call()) {
        if (tries == kTriesWithoutKernel) return false;
        continue;
      }
      if (tries % kTriesPerSleep != 0) {
        sys::yield();
        continue;
      }
      sys::sleep_ns(50'000);
      if (!sys::thread_exists(sys::process_id(), holder) &&
          pool_.holder.compare_exchange_strong(holder, own, std::memory_order_acquire))
        break;
    }
    pool_.held_at = here;
    return true;
  }

  static constexpr uint32_t kTriesPerSleep = 64;
  static constexpr uint32_t kTriesWithoutKernel = 100'000;
  Pool& pool_;
  bool held_;
};

Pool* find_pool(uint64_t number) {
  Pool* const all = pools.load(std::memory_order_acquire);
  const uint64_t place = number & (kMostPools - 1);
  if (all == nullptr || number == 0 || std::atomic_ref(all[place].number).load(std::memory_order_acquire) != number) {
    if (number != 0) count_misuse(Misuse::unknown_pool);
    return nullptr;
  }
  return &all[place];
}

// For the next blocks of the pool, or of the one that comes in its place: most pools never need more.
void empty(AddressSet& set) {
  for (uint64_t at = 0; at < set.places; ++at) set.address(at) = kNothing;
  set.used = 0;
}

void free_all(Pool& pool, format::Function function, const CapturePoint& caller) {
  if (pool.blocks == nullptr) return;
  if (pool.blocks->places == kFirstPlaces) {
    if (pool.blocks->used == 0) return;
    for (uint64_t at = 0; at < kFirstPlaces; ++at) {
      uint64_t& address = pool.blocks->address(at);
      if (address <= kRemoved) continue;
      record_client_free(reinterpret_cast<void*>(address), function, pool.domain, caller);
      address = kRemoved;
    }
    empty(*pool.blocks);
    return;
  }
  visit(*pool.blocks,
        [&](uint64_t address) { record_client_free(reinterpret_cast<void*>(address), function, pool.domain, caller); });
  AddressSet* const old = pool.blocks;
  std::atomic_ref(pool.blocks).store(nullptr, std::memory_order_release);
  drop_set(old);
}

}  // namespace

uint64_t create_pool(uint16_t domain, const char* name) {
  if (!may_track_in(domain)) {
    count_misuse(Misuse::unknown_domain);
    return 0;
  }
  return create_pool_in(domain, NameTable::is_empty(name) ? uint16_t{0} : user_tag_of(name));
}

uint64_t create_pool_in(uint16_t domain, uint16_t user_tag) {
  const RareGuard guard(pools_lock);
  if (!guard.held()) return 0;
  if (pools.load(std::memory_order_relaxed) == nullptr) {
    pools.store(static_cast<Pool*>(sys::map_anonymous(kMostPools * sizeof(Pool))), std::memory_order_release);
  }
  Pool* const all = pools.load(std::memory_order_relaxed);
  uint32_t place = first_free;
  if (all == nullptr || (place == 0 && pools_made == kMostPools - 1)) {
    count_misuse(Misuse::too_many);
    return 0;
  }
  if (place != 0)
    first_free = all[place].next_free;
  else
    place = ++pools_made;
  Pool& pool = all[place];
  pool.domain = domain;
  pool.user_tag = user_tag;
  pool.holder.store(0, std::memory_order_relaxed);
  const uint64_t number = ++generation * kMostPools + place;
  std::atomic_ref(pool.number).store(number, std::memory_order_release);
  return number;
}

void reset_pool(uint64_t number, const CapturePoint& caller) {
  Pool* const pool = find_pool(number);
  if (pool == nullptr) return;
  const PoolGuard guard(*pool);
  if (guard.held()) free_all(*pool, format::Function::pool_reset, caller);
}

void destroy_pool(uint64_t number, const CapturePoint& caller) {
  end_pool(number, format::Function::pool_reset, caller);
}

void end_pool(uint64_t number, format::Function function, const CapturePoint& caller) {
  Pool* const pool = find_pool(number);
  if (pool == nullptr) return;
  {
    const PoolGuard guard(*pool);
    if (!guard.held()) return;
    free_all(*pool, function, caller);
    std::atomic_ref(pool->number).store(0, std::memory_order_release);
  }
  const RareGuard guard(pools_lock);
  if (!guard.held()) return;
  pool->next_free = first_free;
  first_free = static_cast<uint32_t>(number & (kMostPools - 1));
}

bool keep_in_pool(uint64_t number, void* block) {
  Pool* const pool = find_pool(number);
  if (pool == nullptr || block == nullptr) return false;
  const PoolGuard guard(*pool);
  if (!guard.held()) return false;
  if (!make_room(*pool)) {
    count_dropped(format::DropCause::no_memory);
    return false;
  }
  put(*pool->blocks, reinterpret_cast<uint64_t>(block));
  return true;
}

void note_pool_alloc(uint64_t number, void* block, size_t size_bytes, const CapturePoint& caller) {
  if (!keep_in_pool(number, block)) return;
  const Pool* const pool = find_pool(number);
  if (pool == nullptr) return;  // destroyed meanwhile
  record_client_alloc(block, size_bytes, format::Function::pool_alloc, pool->domain, pool->user_tag, caller);
}

void note_pool_free(uint64_t number, void* block, const CapturePoint& caller) {
  Pool* const pool = find_pool(number);
  if (pool == nullptr || block == nullptr) return;
  {
    const PoolGuard guard(*pool);
    if (!guard.held()) return;
    uint64_t* const place = pool->blocks != nullptr ? find(*pool->blocks, reinterpret_cast<uint64_t>(block)) : nullptr;
    if (place == nullptr) return count_misuse(Misuse::unknown_block);
    *place = kRemoved;
  }
  record_client_free(block, format::Function::pool_free, pool->domain, caller);
}

}  // namespace memprof
