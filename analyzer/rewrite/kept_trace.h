// Writes a trace of some of the events of another one: what extract and strip have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/analysis.h"
#include "model/kept_events.h"

namespace memprof {

// By the number of an event: its place in the order in which Merge hands them out, from 0.
using EventFilter = std::function<KeptEvents::Part(uint64_t number)>;

struct KeptTrace {
  uint64_t events = 0;  // a realloc is two
  format::Stripped left_out{};
};

// Everything that the kept events need, and all that the trace says besides its events, goes into the new trace. Its
// events have their times, threads and streams. What was damaged in the trace counts as missing in the new one.
//
// With `window`, the new trace says that it is of that time only; without, how much was left out. Throws NewTraceError.
KeptTrace write_kept_trace(const Trace& trace, const EventFilter& kept, std::optional<format::Window> window,
                           const std::string& path, ProgressSink* progress);

}  // namespace memprof
