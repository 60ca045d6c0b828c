// The one clock of all stamps: the invariant time-stamp counter where the processor has one, CLOCK_MONOTONIC
// nanoseconds elsewhere. Async-signal-safe; the choice is made once by choose_clock().
//
// A host may take either away: clock_gettime may be a system call, which a seccomp filter forbids, and strict seccomp
// and PR_SET_TSC make the processor fault on its counter. Then the nanoseconds are computed from the counter; without
// one, stamps are counted: their order across threads stays exact, and time stands still.
#pragma once

#include <stdint.h>
#include <time.h>

#include <atomic>

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

// The clocks that are gone.
enum class Forsake : uint32_t { none, kernel, kernel_and_processor };
void forsake_clocks(Forsake which);
// The host's call has failed: as it was before.
void regain_clocks(Forsake before);

extern std::atomic<bool> clock_is_tsc;
extern std::atomic<Forsake> forsaken;
uint64_t estimate_monotonic_ns();
uint64_t count_ticks();

// libc's clock_gettime, not that of a program that has one of its own, as programs built with a sanitizer have: theirs
// cannot be called before they have begun. The system call itself until choose_clock() has looked for libc's.
using ClockGettime = int(clockid_t, timespec*);
extern ClockGettime* libc_clock_gettime;
inline uint64_t clock_ns(clockid_t which) {
  timespec now;
  libc_clock_gettime(which, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t monotonic_ns() {
  if (__builtin_expect(forsaken.load(std::memory_order_relaxed) != Forsake::none, 0)) return estimate_monotonic_ns();
  return clock_ns(CLOCK_MONOTONIC);
}

inline uint64_t read_ticks() {
#if defined(__x86_64__)
  if (__builtin_expect(clock_is_tsc.load(std::memory_order_relaxed), 1)) return __rdtsc();
#endif
  if (__builtin_expect(forsaken.load(std::memory_order_relaxed) != Forsake::none, 0)) return count_ticks();
  return monotonic_ns();
}

}  // namespace memprof
