#include "interpose/attached_segments.h"

#include <atomic>

namespace memprof {
namespace {

struct Attached {
  std::atomic<uintptr_t> start;  // 0: free
  size_t bytes;
};
constexpr unsigned kMostAttached = 256;
constinit Attached attached[kMostAttached] = {};

}  // namespace

bool remember_segment(uintptr_t start, size_t bytes) {
  for (Attached& place : attached) {
    uintptr_t free = 0;
    if (!place.start.compare_exchange_strong(free, start, std::memory_order_acq_rel)) continue;
    place.bytes = bytes;
    return true;
  }
  return false;
}

size_t forget_segment(uintptr_t start) {
  for (Attached& place : attached) {
    if (place.start.load(std::memory_order_acquire) != start) continue;
    const size_t bytes = place.bytes;
    place.start.store(0, std::memory_order_release);
    return bytes;
  }
  return 0;
}

}  // namespace memprof
