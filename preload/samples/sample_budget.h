// How often the kernel may be asked. The rates hold for the whole process, whichever threads claim pages.
#pragma once

#include <stdint.h>

namespace memprof {

// statm costs some microseconds: at most one in 50 ms. smaps_rollup walks all page tables, milliseconds in a large
// process: all readings together take at most a thousandth of the time since the trace began, by what the last one
// took.
class SampleBudget {
 public:
  static constexpr uint64_t kLeastDistanceNs = 50'000'000;
  static constexpr uint64_t kRollupPart = 1000;

  constexpr SampleBudget() = default;
  explicit constexpr SampleBudget(uint64_t start_ns) : start_ns_(start_ns) {}

  bool affords_rollup(uint64_t now_ns, uint64_t resident_bytes) const {
    return (spent_ns_ + expected_ns(resident_bytes)) * kRollupPart <= now_ns - start_ns_;
  }
  void note_rollup(uint64_t took_ns, uint64_t resident_bytes) {
    spent_ns_ += took_ns;
    last_ns_ = took_ns;
    last_resident_bytes_ = resident_bytes;
  }

 private:
  // As long as the last one, and longer by what has been touched since; before the first, a guess on the high side.
  uint64_t expected_ns(uint64_t resident_bytes) const {
    constexpr uint64_t kFirstNs = 100'000, kBytesPerNs = 160;  // 25 ns a page
    const uint64_t ns = last_ns_ != 0 ? last_ns_ : kFirstNs;
    const uint64_t grown = resident_bytes > last_resident_bytes_ ? resident_bytes - last_resident_bytes_ : 0;
    return ns + grown / kBytesPerNs;
  }

  uint64_t start_ns_ = 0;
  uint64_t spent_ns_ = 0;
  uint64_t last_ns_ = 0;
  uint64_t last_resident_bytes_ = 0;
};

}  // namespace memprof
