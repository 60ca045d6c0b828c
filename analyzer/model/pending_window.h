// Releases of mappings that nothing is known of, held for a moment because two stamps of different threads may be
// inverted by nanoseconds (disputes.h).
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <deque>

#include "model/disputes.h"
#include "trace/keyed_hash.h"

namespace memprof {

struct PendingEvent : StreamEvent {
  bool is_settled = false;
  uint64_t next = 0;  // the next pending event of the same address, 0: none
};

class PendingWindow {
 public:
  explicit PendingWindow(uint64_t window_ticks) : window_ticks_(window_ticks) {}

  bool empty() const { return by_address_.empty(); }
  void push(const StreamEvent& event);
  // nullptr when nothing is pending there.
  const PendingEvent* oldest(uint64_t address) const;
  StreamEvent take_oldest(uint64_t address);

  // Takes the oldest event of all when its window has passed at `now`, or when too many wait.
  bool take_expired(uint64_t now, StreamEvent& out);

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
