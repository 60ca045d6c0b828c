#include "report/leaks_samples.h"

#include <algorithm>

namespace memprof {

void OpenBytesSamples::add(StackId stack, uint16_t tag, uint64_t size, uint64_t alloc_ns,
                           std::optional<uint64_t> free_ns) {
  make_room(std::max(alloc_ns, free_ns.value_or(0)));
  const auto [found, is_new] = index_.try_emplace(stack, static_cast<uint32_t>(series_.size()));
  if (is_new) series_.push_back({stack, tag});
  Series& series = series_[found->second];
  series.differences[slot(alloc_ns)] += static_cast<int64_t>(size);
  if (free_ns)
    series.differences[slot(std::max(*free_ns, alloc_ns))] -= static_cast<int64_t>(size);
  else
    ++series.open_blocks;
}

void OpenBytesSamples::finish(uint64_t end_ns) {
  make_room(end_ns);
  sample_count_ = end_ns / width_ + 1;
}

std::vector<uint64_t> OpenBytesSamples::samples(const Series& series) const {
  std::vector<uint64_t> values;
  int64_t open = 0;
  for (size_t k = 0; k < sample_count_; ++k) {
    open += series.differences[k];
    values.push_back(static_cast<uint64_t>(std::max<int64_t>(open, 0)));
  }
  return values;
}

void OpenBytesSamples::make_room(uint64_t ns) {
  while (slot(ns) > kIntervals) {
    width_ *= 2;
    for (Series& series : series_) {
      auto& slots = series.differences;
      // Slot 0 stays; 1 and 2 become 1, 3 and 4 become 2.
      for (size_t k = 1; k <= kIntervals / 2; ++k) slots[k] = slots[2 * k - 1] + slots[2 * k];
      std::fill(slots.begin() + kIntervals / 2 + 1, slots.end(), 0);
    }
  }
}

}  // namespace memprof
