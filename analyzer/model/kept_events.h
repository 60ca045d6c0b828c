// Which events a selection leaves: for writing a new trace of them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/analysis.h"

namespace memprof {

class KeptEvents {
 public:
  enum class Part : uint8_t {
    nothing,
    whole,
    end,  // of an allocation in a place where a mapping was: that it ended that one
  };

  KeptEvents(std::vector<bool> events, std::vector<bool> ends) : events_(std::move(events)), ends_(std::move(ends)) {}

  // By the number of the event in the order of Merge, from the begin of the trace (Batch::first_number and on).
  Part operator[](uint64_t event_number) const {
    if (event_number < events_.size() && events_[event_number]) return Part::whole;
    return event_number < ends_.size() && ends_[event_number] ? Part::end : Part::nothing;
  }

 private:
  std::vector<bool> events_, ends_;
};

// Of the chosen blocks: their allocation, also where it lies before the window, and their end when it lies in it; of
// mappings, also what took parts of them; and the chosen orphans. Memory: a bit an event, 24 bytes a part.
KeptEvents kept_events(const Trace& trace, ProgressSink* progress = nullptr);

}  // namespace memprof
