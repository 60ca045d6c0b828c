// Walks the records of the modules, metadata and samples streams and joins those that continue.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "trace/trace_file.h"

namespace memprof {

struct Record {
  uint16_t type;
  uint32_t page;  // where it begins
  std::span<const std::byte> payload;
};

// Calls `visit` for each whole record of each stream of the kind, in stream order. Pages that do not decode are noted
// as damage and read up to there.
void visit_records(const TraceFile& file, format::StreamKind kind, const std::function<void(const Record&)>& visit);

}  // namespace memprof
