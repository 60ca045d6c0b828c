// Writes what the words of a range tell as records (trace_format.h, "Snapshots"): which could point to a block, which
// point to a table of functions, and the lengths that lie before what is pointed to.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "snapshot/growing_array.h"
#include "snapshot/packed_record.h"
#include "snapshot/vtables.h"

namespace memprof {

// Large: not for a stack.
class WordWriter {
 public:
  // Where blocks may lie; ranges in the order of their addresses, before the first scan. False: no memory.
  bool add_target(uintptr_t start, uintptr_t end);
  // Before the first scan.
  void set_files(const GrowingArray<FileMapping>& files) { vtables_.begin(files); }

  // All words of [start, end), which is readable. `may_hold_objects`: blocks may lie in it. False: the trace has no
  // room.
  bool scan(uintptr_t start, uintptr_t end, bool may_hold_objects);
  // The same by way of the kernel, where no objects are: what cannot be read is passed over.
  bool scan_by_kernel(uintptr_t start, uintptr_t end);
  // At the end of a range.
  bool flush();

  uint64_t count() const { return count_; }
  uint64_t bytes_scanned() const { return bytes_scanned_; }

 private:
  struct Target {
    uintptr_t start, end;
  };

  static constexpr size_t kPageBytes = 4096;

  bool is_target(uintptr_t value);
  template <bool kMayHoldObjects>
  bool scan_at(const uintptr_t* words, size_t count, uintptr_t address);
  bool put_lengths_before(uintptr_t value);

  GrowingArray<Target> targets_;
  uintptr_t lowest_ = 0, highest_ = 0;
  Target last_hit_{};
  Vtables vtables_;
  PackedRecord words_{format::SnapshotRecord::words};
  PackedRecord vtable_words_{format::SnapshotRecord::vtables};
  PackedRecord lengths_{format::SnapshotRecord::lengths};
  uintptr_t copy_[16 * kPageBytes / sizeof(uintptr_t)];  // of what the kernel reads
  uintptr_t last_measured_ = 0;
  uint64_t count_ = 0, bytes_scanned_ = 0;
};

}  // namespace memprof
