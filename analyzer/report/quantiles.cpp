#include "report/quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace memprof {

namespace {

constexpr unsigned kSubBits = 7;
constexpr uint64_t kExact = uint64_t{2} << kSubBits;  // below, every value has its bucket

}  // namespace

Quantiles::Bucket Quantiles::bucket_of(uint64_t value) {
  if (value < kExact) return static_cast<Bucket>(value);
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - (kSubBits + 1);
  return static_cast<Bucket>(kExact + (uint64_t{shift - 1} << kSubBits) + (value >> shift) - (kExact >> 1));
}

uint64_t Quantiles::middle_of(Bucket bucket) {
  if (bucket < kExact) return bucket;
  const unsigned above = bucket - static_cast<unsigned>(kExact);
  const unsigned shift = (above >> kSubBits) + 1;
  const uint64_t first = ((above & ((1u << kSubBits) - 1)) + (kExact >> 1)) << shift;
  return first + (uint64_t{1} << (shift - 1));
}

void Quantiles::add_to(Bucket bucket, uint64_t times) {
  if (last_ < buckets_.size() && buckets_[last_].first == bucket) {
    buckets_[last_].second += times;
    return;
  }
  const auto place = std::lower_bound(buckets_.begin(), buckets_.end(), bucket,
                                      [](const auto& entry, Bucket wanted) { return entry.first < wanted; });
  last_ = static_cast<size_t>(place - buckets_.begin());
  if (place != buckets_.end() && place->first == bucket)
    place->second += times;
  else
    buckets_.insert(place, {bucket, times});
}

void Quantiles::add(uint64_t value, uint64_t times) {
  add_to(bucket_of(value), times);
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Quantiles::merge(const Quantiles& other) {
  for (const auto& [bucket, times] : other.buckets_) add_to(bucket, times);
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

uint64_t Quantiles::percentile(double percent) const {
  // In thousandths of a percent: 99.9 is no number of a computer, and 999 of 1000 must not become 1000.
  __extension__ using Wide = unsigned __int128;
  const auto thousandths = static_cast<Wide>(std::llround(percent * 1000));
  const auto rank = static_cast<uint64_t>((thousandths * count_ + 99'999) / 100'000);
  if (rank <= 1) return min();
  if (rank == count_) return max_;
  uint64_t seen = 0;
  for (const auto& [bucket, times] : buckets_) {
    seen += times;
    if (seen >= rank) return std::clamp(middle_of(bucket), min(), max_);
  }
  return max_;
}

}  // namespace memprof
