// The mappings of the process that may hold or be blocks, as the kernel lists them. In a process with one thread, or
// while all others stand still.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

struct Mapping {
  uintptr_t start, end;
  format::SnapshotRangeKind kind;
  uint64_t device, inode;  // of a shared file; 0
};

class MemoryMap {
 public:
  // Those that are, or were, readable and writable, devices left out, in the order of their addresses. False: no
  // memory, or no /proc.
  bool read();
  const Mapping* begin() const { return mappings_; }
  const Mapping* end() const { return mappings_ + count_; }

 private:
  bool add_line(const char* line, const char* end);

  Mapping* mappings_ = nullptr;
  size_t count_ = 0, capacity_ = 0;
};

}  // namespace memprof
