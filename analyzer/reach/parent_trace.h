// The trace of the process that forked another one.
#pragma once

#include <optional>

#include "model/analysis.h"

namespace memprof {

// At the path that the child's trace names, or beside the child's, under that name or the one that the recorder gives
// to the trace of an image that exec replaced: trace.bin becomes trace.PID.1.bin. Nothing: it is in none of these.
std::optional<TraceFile> open_parent_trace(const Trace& child);

}  // namespace memprof
