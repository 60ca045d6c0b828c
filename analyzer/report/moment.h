// A point in time as it is typed: "1.5s", "200ms", "40%", "start", "end", or the name of a mark.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/analysis.h"

namespace memprof {

// "5s", "1.5 ms", "2min", "1h": units ns, us, ms, s, min (m), h.
std::optional<uint64_t> parse_duration_ns(std::string_view text);

struct Moment {
  uint64_t ns = 0;      // since the start of the trace
  std::string problem;  // when set, there is no such moment
};
// A mark is "NAME", or "NAME#2" for the second of that name. `end_ns`: where the trace ends.
Moment find_moment(std::string_view text, const Trace& trace, uint64_t end_ns);

// "the trace is 3.400 s long and has the marks loaded (1.203 s)": raw bytes, for the message about a bad time.
std::string describe_extent(const Trace& trace, uint64_t end_ns);

// Of a trace that its program did not close it takes a pass over all events.
uint64_t end_of_trace_ns(const Trace& trace, ProgressSink* progress);

}  // namespace memprof
