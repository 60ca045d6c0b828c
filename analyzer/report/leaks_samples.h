// Open bytes of every stack at equidistant times, in one pass and without knowing beforehand when the trace ends.
//
// A block that lives from a to f is in the samples at k * width for a <= k * width < f: it adds its size to a
// stack's differences at ceil(a / width) and takes it off at ceil(f / width). When a time lies behind the last slot,
// the width doubles, and slot k becomes ceil(k / 2), which is exact. So there are 17 to 33 samples of any trace; a
// block costs O(1), a stack 34 numbers.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "trace/stack_nodes.h"

namespace memprof {

class OpenBytesSamples {
 public:
  static constexpr uint64_t kIntervals = 32;

  struct Series {
    StackId stack;
    uint16_t tag;              // of one of its blocks
    uint64_t open_blocks = 0;  // at the end
    // Slot k of the differences; the last one holds what comes after the last sample.
    std::array<int64_t, kIntervals + 1> differences{};
  };

  void add(StackId stack, uint16_t tag, uint64_t size, uint64_t alloc_ns, std::optional<uint64_t> free_ns);
  // After the last block: makes the samples cover the whole trace.
  void finish(uint64_t end_ns);

  uint64_t interval_ns() const { return width_; }
  size_t sample_count() const { return sample_count_; }
  const std::vector<Series>& all() const { return series_; }
  std::vector<uint64_t> samples(const Series& series) const;

 private:
  void make_room(uint64_t ns);
  uint64_t slot(uint64_t ns) const { return ns / width_ + (ns % width_ != 0); }

  uint64_t width_ = 1;
  size_t sample_count_ = 1;
  tsl::robin_map<StackId, uint32_t> index_;
  std::vector<Series> series_;
};

}  // namespace memprof
