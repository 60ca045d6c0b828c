#include "report/leaks_trend.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace memprof {

namespace {

constexpr double kMostChance = 0.01;

double as_double(uint64_t value) { return static_cast<double>(value); }

void rank_test(std::span<const uint64_t> v, Trend& trend) {
  const double n = static_cast<double>(v.size());
  std::vector<double> slopes;
  for (size_t i = 0; i < v.size(); ++i)
    for (size_t j = i + 1; j < v.size(); ++j) {
      trend.s += v[j] > v[i] ? 1 : v[j] < v[i] ? -1 : 0;
      slopes.push_back((as_double(v[j]) - as_double(v[i])) / static_cast<double>(j - i));
    }
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::nth_element(slopes.begin(), middle, slopes.end());
  trend.slope = *middle;
  // The mean of both middle ones.
  if (slopes.size() % 2 == 0) trend.slope = (trend.slope + *std::max_element(slopes.begin(), middle)) / 2;
  trend.tau = static_cast<double>(trend.s) / (n * (n - 1) / 2);

  std::map<uint64_t, double> ties;
  for (const uint64_t value : v) ++ties[value];
  double variance = n * (n - 1) * (2 * n + 5);
  for (const auto& [value, t] : ties) variance -= t * (t - 1) * (2 * t + 5);
  variance /= 18;
  if (variance <= 0 || trend.s == 0) return;
  const double s = static_cast<double>(trend.s);
  trend.z = (s > 0 ? s - 1 : s + 1) / std::sqrt(variance);
  trend.p = 0.5 * std::erfc(trend.z / std::sqrt(2.0));
}

}  // namespace

Trend trend_of(std::span<const uint64_t> samples) {
  size_t first = 0;
  while (first < samples.size() && samples[first] == 0) ++first;
  const std::span<const uint64_t> v = samples.subspan(first > 0 ? first - 1 : 0);
  Trend trend;
  if (first == samples.size() || v.size() < 2) return trend;
  trend.intervals = v.size() - 1;
  bool rises_late = false;
  for (size_t i = 0; i < trend.intervals; ++i) {
    trend.rises += v[i + 1] > v[i];
    trend.falls += v[i + 1] < v[i];
    rises_late = rises_late || (v[i + 1] > v[i] && 4 * i >= 3 * trend.intervals);
  }
  rank_test(v, trend);
  trend.is_growing = trend.intervals >= kLeastTrendIntervals && 3 * trend.rises >= 2 * trend.intervals &&
                     10 * trend.falls <= trend.intervals && rises_late && trend.p < kMostChance;
  return trend;
}

}  // namespace memprof
