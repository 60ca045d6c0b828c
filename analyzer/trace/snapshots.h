// Reads the snapshots of a trace: which words of the memory could point to blocks at a moment (trace_format.h).
#pragma once

#include <cstdint>

#include "trace/trace_file.h"

namespace memprof {

// Hears of a snapshot in the order in which it was written. What does not decode is noted as damage and left out; only
// a snapshot that has an end is whole.
class SnapshotVisitor {
 public:
  virtual ~SnapshotVisitor() = default;
  virtual void begin(const format::SnapshotBegin& begin) = 0;
  virtual void thread(const format::SnapshotThread& thread) = 0;
  virtual void range(const format::SnapshotRange& range) = 0;
  // In the range before it, in the order of addresses.
  virtual void word(uint64_t address, uint64_t value) = 0;
  // The word there points to a table of functions. In the range before it, in the order of addresses.
  virtual void vtable(uint64_t /*address*/) {}
  // The word there could be the length of what lies behind it. In any range, in any order, more than once.
  virtual void length(uint64_t /*address*/, uint64_t /*value*/) {}
  virtual void end(const format::SnapshotEnd& end) = 0;
};

void visit_snapshots(const TraceFile& file, SnapshotVisitor& visitor);

}  // namespace memprof
