#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace memprof {

// Address intervals that may nest and overlap, asked for those that cover an address. Built once, then only read.
template <class Value>
class IntervalIndex {
 public:
  void add(uint64_t start, uint64_t end, Value value) {
    if (start < end) intervals_.push_back({start, end, 0, std::move(value)});
  }

  // Of intervals with the same start, those for which `less` is false are visited first.
  template <class Less>
  void build(Less less) {
    std::stable_sort(intervals_.begin(), intervals_.end(), [&](const Interval& a, const Interval& b) {
      return a.start != b.start ? a.start < b.start : less(a.value, b.value);
    });
    uint64_t furthest = 0;
    for (Interval& interval : intervals_) interval.furthest_end = furthest = std::max(furthest, interval.end);
  }
  // Of intervals with the same start, the one added last is visited first.
  void build() {
    build([](const Value&, const Value&) { return false; });
  }

  // Calls visit(value) for the covering intervals, the latest start first, until it returns true.
  template <class Visit>
  void visit_covering(uint64_t address, Visit visit) const {
    auto next = std::upper_bound(intervals_.begin(), intervals_.end(), address,
                                 [](uint64_t wanted, const Interval& interval) { return wanted < interval.start; });
    // The bound matters for damaged files only: one interval over everything would make each look-up a scan.
    for (size_t steps = 0; next != intervals_.begin() && steps < kMaxSteps; ++steps) {
      --next;
      if (next->furthest_end <= address) return;
      if (next->end > address && visit(next->value)) return;
    }
  }

  bool empty() const { return intervals_.empty(); }
  size_t size() const { return intervals_.size(); }

 private:
  static constexpr size_t kMaxSteps = 65536;
  struct Interval {
    uint64_t start, end;
    uint64_t furthest_end;  // of this and all earlier ones: where the search backwards may stop
    Value value;
  };
  std::vector<Interval> intervals_;
};

}  // namespace memprof
