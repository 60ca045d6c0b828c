// Events that contradict what is known of their address, held for a moment because two stamps of different threads
// may be inverted by nanoseconds.
//
// The recorder stamps a free before the real free and an allocation after the real allocation, so stamps on the two
// sides of a hand-over differ by the hand-over itself, some 50 ns. A processor may read its clock before the load
// that brought the pointer has finished: up to a re-order buffer, a few hundred nanoseconds, a microsecond with every
// cache missed. Allocations are rounded up and frees down to a time unit on top of that.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <deque>

#include "trace/event.h"
#include "trace/keyed_hash.h"

namespace memprof {

// Ten times what was reasoned above.
inline constexpr uint64_t kReorderWindowNs = 10'000;
// In a trace that must hold frees without an allocation (a fork's child, a late start, a filter), such a free followed
// by a new allocation at the address is everyday business, and a shorter window takes fewer of them for an inversion.
inline constexpr uint64_t kReorderWindowWithOrphansNs = 1'000;

struct PendingEvent {
  Event event;
  uint32_t stream;
  uint32_t thread;
  bool is_next_of_thread;  // of a release: the event before it, of the same thread, allocated this address
  bool is_settled = false;
  uint64_t next = 0;  // the next pending event of the same address, 0: none
};

class PendingWindow {
 public:
  explicit PendingWindow(uint64_t window_ticks) : window_ticks_(window_ticks) {}

  bool empty() const { return by_address_.empty(); }
  void push(const PendingEvent& event);
  // nullptr when nothing is pending there.
  const PendingEvent* oldest(uint64_t address) const;
  PendingEvent take_oldest(uint64_t address);

  // Takes the oldest event of all when its window has passed at `now`, or when too many wait.
  bool take_expired(uint64_t now, PendingEvent& out);

 private:
  struct Chain {
    uint64_t first, last;  // numbers
  };

  // A hostile trace may put every event at one instant.
  static constexpr size_t kMaxPending = 1u << 16;

  PendingEvent& at(uint64_t number) { return queue_[number - first_number_]; }
  const PendingEvent& at(uint64_t number) const { return queue_[number - first_number_]; }
  void drop_settled();

  uint64_t window_ticks_;
  std::deque<PendingEvent> queue_;
  uint64_t first_number_ = 1;  // of queue_.front()
  tsl::robin_map<uint64_t, Chain, KeyedHash> by_address_;
};

}  // namespace memprof
