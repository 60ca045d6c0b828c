// Addresses whose events contradict each other: a free where nothing is live, an allocation where something is.
//
// The recorder stamps a free before the real free and an allocation after the real allocation, so stamps on the two
// sides of a hand-over differ by the hand-over itself, some 50 ns. A processor may read its clock before the load
// that brought the pointer has finished: up to a re-order buffer, a few hundred nanoseconds, a microsecond with every
// cache missed. Allocations are rounded up and frees down to a time unit on top of that. So the stamps of two streams
// may be inverted by nanoseconds, and a free then ends the wrong block of its address, or none.
//
// Invariants:
//   * Within a stream the order is exact, always. Between streams it is changed by no more than the window.
//   * A dispute collects all events of its address until none has come for a window, then orders them: of all orders
//     that these two rules allow, one with the fewest contradictions, and of those the one nearest to the stamps.
//   * Until then the sums follow the stamps, as far as they make sense; settling corrects them.
//   * The search for the order takes no more than some hundred steps for each event, on average; a trace that was made
//     to cost more is taken as its stamps say.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "model/chunk.h"
#include "trace/keyed_hash.h"

namespace memprof {

// Ten times what was reasoned above.
inline constexpr uint64_t kReorderWindowNs = 10'000;
// In a trace that must hold frees without an allocation (a fork's child, a late start, a filter), such a free followed
// by a new allocation at the address is everyday business, and a shorter window takes fewer of them for an inversion.
inline constexpr uint64_t kReorderWindowWithOrphansNs = 1'000;

inline constexpr uint64_t kEndOfTime = UINT64_MAX;

// Who did an event.
struct Origin {
  uint64_t number;  // of the event: Batch::first_number and on
  uint32_t stream;
  uint32_t thread;
  bool is_next_of_thread;  // of a release: the event before it, of the same thread, allocated this address
};

struct StreamEvent : Origin {
  Event event;
};

struct Dispute {
  static constexpr size_t kMostEvents = 32;

  struct Entry {
    StreamEvent arrived;
    Chunk chunk{};            // of an allocation that is in the sums
    bool is_counted = false;  // it is
    bool is_closed = false;   // and was taken out again
    // When the window had begun; else it is not known whether the chunk is chosen until it is open again.
    bool left_in_window = true;
  };

  uint64_t address;
  uint64_t last_ticks;
  std::vector<Entry> entries;  // in the order of the stamps
};

// Blocks ended by another stream than their own, a moment ago: the free may turn out to be a later block's. One place
// for several addresses: who needs it takes it, and what was there must be dealt with.
class HandOvers {
 public:
  struct HandOver {
    Chunk chunk;
    StreamEvent release;
    bool left_in_window;  // as in Dispute::Entry; else it is not known whether the chunk is chosen
  };

  std::optional<HandOver>& place_of(uint64_t address) {
    if (places_.empty()) places_.resize(kPlaces);
    return places_[(address * 0x9e3779b97f4a7c15u) >> (64 - kPlaceBits)];
  }
  std::vector<std::optional<HandOver>>& all() { return places_; }
  const std::vector<std::optional<HandOver>>& all() const { return places_; }

 private:
  static constexpr unsigned kPlaceBits = 12;
  static constexpr size_t kPlaces = size_t{1} << kPlaceBits;
  std::vector<std::optional<HandOver>> places_;
};

class Disputes {
 public:
  explicit Disputes(uint64_t window_ticks) : window_ticks_(window_ticks) {}

  bool empty() const { return by_address_.empty(); }
  template <class Visit>
  void visit(Visit&& visit) {
    for (auto at = by_address_.begin(); at != by_address_.end(); ++at) visit(*at.value());
  }
  uint64_t window_ticks() const { return window_ticks_; }
  // nullptr: nothing is disputed there.
  Dispute* find(uint64_t address);
  Dispute& begin(uint64_t address, uint64_t ticks);
  // The order in which a dispute's events make sense: indices of its entries. The first `count` are about to be
  // decided.
  std::vector<uint8_t> order_of(const Dispute& dispute, size_t count);
  // Takes out one whose window has passed at `now`; null: none.
  std::unique_ptr<Dispute> take_expired(uint64_t now);

 private:
  struct Due {
    uint64_t ticks, address;
  };

  uint64_t end_of_window(uint64_t ticks) const;

  uint64_t window_ticks_;
  std::deque<Due> due_;  // each dispute once, by the time at which it is looked at again
  tsl::robin_map<uint64_t, std::unique_ptr<Dispute>, KeyedHash> by_address_;
  uint64_t steps_left_ = 1'000'000;
};

}  // namespace memprof
