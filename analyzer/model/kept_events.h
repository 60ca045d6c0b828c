// Which events a selection leaves: for writing a new trace of them.
#pragma once

#include <cstdint>
#include <vector>

#include "model/analysis.h"

namespace memprof {

// By the number of the event in the order of Merge, from the begin of the trace (Batch::first_number and on).
class KeptEvents {
 public:
  explicit KeptEvents(std::vector<bool> events) : events_(std::move(events)) {}

  bool operator[](uint64_t event_number) const { return event_number < events_.size() && events_[event_number]; }

 private:
  std::vector<bool> events_;
};

// Of the chosen blocks: their allocation, also where it lies before the window, and their end when it lies in it; and
// the chosen orphans. Memory: a bit an event.
KeptEvents kept_events(const Trace& trace, ProgressSink* progress = nullptr);

}  // namespace memprof
