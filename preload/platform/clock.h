// The one clock of all stamps: the invariant time-stamp counter where the processor has one, CLOCK_MONOTONIC
// nanoseconds elsewhere. Async-signal-safe; the choice is made once by choose_clock().
#pragma once

#include <stdint.h>
#include <time.h>

#include "memprof/trace_format.h"
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace memprof {

struct ClockChoice {
  format::Clock clock;
  uint64_t nominal_ticks_per_second;  // 0: the processor does not say
};
ClockChoice choose_clock();

extern bool clock_is_tsc;

inline uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t read_ticks() {
#if defined(__x86_64__)
  if (__builtin_expect(clock_is_tsc, 1)) return __rdtsc();
#endif
  return monotonic_ns();
}

}  // namespace memprof
