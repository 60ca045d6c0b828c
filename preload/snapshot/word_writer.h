// Writes the words that could point to a block as `words` records (trace_format.h, "Snapshots").
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

class WordWriter {
 public:
  // Where blocks may lie; ranges in the order of their addresses, before the first scan. False: no memory.
  bool add_target(uintptr_t start, uintptr_t end);

  // All words of [start, end), which is readable. False: the trace has no room.
  bool scan(uintptr_t start, uintptr_t end);
  // The same by way of the kernel: what cannot be read is passed over.
  bool scan_by_kernel(uintptr_t start, uintptr_t end);
  // At the end of a range.
  bool flush();

  uint64_t count() const { return count_; }
  uint64_t bytes_scanned() const { return bytes_scanned_; }

 private:
  struct Target {
    uintptr_t start, end;
  };
  static constexpr size_t kBufferBytes = 8192;
  static constexpr size_t kMostWordBytes = 20;

  bool is_target(uintptr_t value);
  bool scan_at(const uintptr_t* words, size_t count, uintptr_t address);
  bool put(uintptr_t address, uintptr_t value);

  Target* targets_ = nullptr;
  size_t target_count_ = 0, target_capacity_ = 0;
  uintptr_t lowest_ = 0, highest_ = 0;
  Target last_hit_{};
  unsigned char buffer_[kBufferBytes] = {};
  size_t used_ = 0;
  uintptr_t last_address_ = 0, last_value_ = 0;
  uint64_t count_ = 0, bytes_scanned_ = 0;
};

}  // namespace memprof
