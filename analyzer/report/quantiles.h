// Percentiles of many values in little memory: counts in buckets whose width is 1/128 of their values.
//
// A value below 256 has a bucket of its own; above, each power of two is cut into 128. A percentile is the middle of
// its bucket, so it is within 0.4 % (1/256) of the value that a sorted list would give at the nearest rank. The least
// and the greatest value are kept as they are. Histograms of parts merge by adding up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace memprof {

class Quantiles {
 public:
  static constexpr double kRelativeError = 1.0 / 256;

  void add(uint64_t value, uint64_t times = 1);
  void merge(const Quantiles& other);

  uint64_t count() const { return count_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  // The smallest value that at least `percent` of all values do not exceed; 0 when there are none.
  uint64_t percentile(double percent) const;

 private:
  using Bucket = uint16_t;
  static Bucket bucket_of(uint64_t value);
  static uint64_t middle_of(Bucket bucket);
  void add_to(Bucket bucket, uint64_t times);

  std::vector<std::pair<Bucket, uint64_t>> buckets_;  // in order, no zeros: most sites have few
  size_t last_ = 0;                                   // the bucket that was hit last is likely to be hit again
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace memprof
