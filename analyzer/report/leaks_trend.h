// Whether a number that was sampled at equal distances grows all the time.
//
// The rank test is Mann's (H. B. Mann, Nonparametric tests against trend, Econometrica 13, 1945; M. G. Kendall, Rank
// Correlation Methods, 1975), one-sided, with the correction for ties; the slope is Sen's (P. K. Sen, Estimates of the
// regression coefficient based on Kendall's tau, JASA 63, 1968). Open bytes of neighbouring samples depend on each
// other, so p alone is too sure of itself: one step at half time would pass. Therefore a series is said to grow only
// when it also rises in at least two thirds of the intervals, falls in no more than a tenth, and still rises in the
// last quarter.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace memprof {

struct Trend {
  bool is_growing = false;
  size_t intervals = 0;  // looked at: from the last zero at the beginning
  size_t rises = 0, falls = 0;
  int64_t s = 0;   // Mann-Kendall: pairs that rise less pairs that fall
  double tau = 0;  // s of all pairs
  double z = 0;
  double p = 1;      // of so much rise by chance
  double slope = 0;  // Sen's: bytes an interval
};

inline constexpr size_t kLeastTrendIntervals = 8;
Trend trend_of(std::span<const uint64_t> samples);

}  // namespace memprof
