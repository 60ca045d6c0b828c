#include "model/clock.h"

namespace memprof {

namespace {

// Two readings a microsecond apart in accuracy give 0.1 % over this distance; closer points are worse than what the
// processor says of itself.
constexpr uint64_t kMinCalibrationNs = 1'000'000;
constexpr double kMinTicksPerSecond = 1e5, kMaxTicksPerSecond = 1e11;

bool is_plausible(double ticks_per_second) {
  return ticks_per_second >= kMinTicksPerSecond && ticks_per_second <= kMaxTicksPerSecond;
}

double measure_rate(const format::FileHeader& header, const CalibrationPoint& last) {
  const double nominal = static_cast<double>(header.nominal_ticks_per_second);
  if (last.ticks > header.start_ticks && last.monotonic_ns > header.start_monotonic_ns) {
    const uint64_t ns = last.monotonic_ns - header.start_monotonic_ns;
    const double rate = static_cast<double>(last.ticks - header.start_ticks) * 1e9 / static_cast<double>(ns);
    if (is_plausible(rate) && (ns >= kMinCalibrationNs || !is_plausible(nominal))) return rate;
  }
  return is_plausible(nominal) ? nominal : 1e9;
}

}  // namespace

Clock::Clock(const TraceFile& file) : start_ticks_(file.header().start_ticks) {
  const format::FileHeader& header = file.header();
  CalibrationPoint last = file.last_page_point();
  if (header.end_ticks != 0) last = {header.end_ticks, header.end_monotonic_ns};
  ticks_per_second_ = header.clock == format::Clock::monotonic ? 1e9 : measure_rate(header, last);
  ns_per_tick_ = 1e9 / ticks_per_second_;
}

uint64_t Clock::ns_since_start(uint64_t ticks) const {
  if (ticks <= start_ticks_) return 0;
  // A double holds a tick count exactly for a month at 3 GHz. The bound keeps a hostile stamp a defined conversion.
  const double ns = static_cast<double>(ticks - start_ticks_) * ns_per_tick_;
  return ns < 9e18 ? static_cast<uint64_t>(ns) : 9'000'000'000'000'000'000u;
}

// By halving: exact for every rate, and asked seldom.
uint64_t Clock::first_ticks_at(uint64_t ns) const {
  if (ns == 0) return 0;
  uint64_t before = start_ticks_, at = UINT64_MAX;
  if (ns_since_start(at - 1) < ns) return UINT64_MAX;
  while (at - before > 1) {
    const uint64_t middle = before + (at - before) / 2;
    (ns_since_start(middle) < ns ? before : at) = middle;
  }
  return at;
}

uint64_t Clock::ticks_of_duration(uint64_t ns) const {
  return static_cast<uint64_t>(static_cast<double>(ns) * ticks_per_second_ / 1e9);
}

}  // namespace memprof
