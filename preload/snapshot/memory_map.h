// The mappings of the process that may hold or be blocks, as the kernel lists them. In a process with one thread, or
// while all others stand still.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"
#include "snapshot/growing_array.h"

namespace memprof {

struct Mapping {
  uintptr_t start, end;
  format::SnapshotRangeKind kind;
  uint32_t flags;          // format::SnapshotRangeFlags
  uint64_t device, inode;  // of a shared file, as the kernel lists them; else 0
};

// What is mapped of a file, and can be read.
struct FileMapping {
  uintptr_t start, end;
  bool is_code;
};

class MemoryMap {
 public:
  // False: no memory, or no /proc.
  bool read();

  // Those that are, or were, readable and writable, devices left out, in the order of their addresses.
  const Mapping* begin() const { return mappings_.begin(); }
  const Mapping* end() const { return mappings_.end(); }
  // In the order of their addresses.
  const GrowingArray<FileMapping>& files() const { return files_; }

 private:
  bool add_line(const char* line, const char* end);

  GrowingArray<Mapping> mappings_;
  GrowingArray<FileMapping> files_;
  uintptr_t guard_end_ = 0;  // of the last small mapping that nobody can read
};

}  // namespace memprof
