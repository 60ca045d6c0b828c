#include "platform/clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace memprof {

constinit bool clock_is_tsc = false;

#if defined(__x86_64__)
namespace {

// CPUID leaf 80000007h, EDX bit 8: the counter runs at one rate in all power states (Intel SDM vol. 3, 18.17.1).
bool has_invariant_tsc() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

// Leaf 15h gives crystal frequency and ratio; under a hypervisor leaf 40000010h gives kHz (VMware's convention,
// which KVM may follow).
uint64_t tsc_frequency() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0x15, &a, &b, &c, &d) != 0 && a != 0 && b != 0 && c != 0) {
    return static_cast<uint64_t>(c) * b / a;
  }
  __cpuid(1, a, b, c, d);
  const bool in_hypervisor = (c & (1u << 31)) != 0;
  if (!in_hypervisor) return 0;
  __cpuid(0x40000000, a, b, c, d);
  if (a < 0x40000010) return 0;
  __cpuid(0x40000010, a, b, c, d);
  return static_cast<uint64_t>(a) * 1000;
}

}  // namespace
#endif

ClockChoice choose_clock() {
#if defined(__x86_64__)
  if (has_invariant_tsc()) {
    clock_is_tsc = true;
    return {format::Clock::tsc, tsc_frequency()};
  }
#endif
  return {format::Clock::monotonic, 1'000'000'000};
}

}  // namespace memprof
