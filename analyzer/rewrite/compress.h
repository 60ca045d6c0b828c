// Packs a trace (compressed_trace.h) and unpacks it again.
#pragma once

#include <string>

#include "model/analysis.h"
#include "trace/trace_file.h"

namespace memprof {

// The trace as it is, damage included, at `path`. Throws NewTraceError when it cannot be written there.
void compress_trace(const TraceFile& file, const std::string& path, ProgressSink* progress);

// The trace file that was packed: its header, and of each page all that means something. Pages that the compressed
// file has lost are noted as damage and are unwritten in the new one.
void decompress_trace(const TraceFile& file, const std::string& path, ProgressSink* progress);

}  // namespace memprof
