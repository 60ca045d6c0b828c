#include "interpose/kept_handles.h"

#include <atomic>

namespace memprof {
namespace {

constexpr unsigned kMostKept = 256;
constinit std::atomic<uint64_t> kept[kMostKept] = {};  // 0: free. As often as it is kept

bool exchange_one(uint64_t from, uint64_t to) {
  for (std::atomic<uint64_t>& place : kept) {
    uint64_t found = from;
    if (place.load(std::memory_order_relaxed) == from &&
        place.compare_exchange_strong(found, to, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

}  // namespace

void keep_handle(uint64_t handle) {
  if (handle != 0) exchange_one(0, handle);
}

bool let_handle_go(uint64_t handle) { return handle != 0 && exchange_one(handle, 0); }

}  // namespace memprof
