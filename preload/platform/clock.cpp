#include "platform/clock.h"

#include <dlfcn.h>

#include "platform/syscalls.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace memprof {

constinit std::atomic<bool> clock_is_tsc{false};
constinit std::atomic<Forsake> forsaken{Forsake::none};

namespace {

int clock_gettime_by_call(clockid_t which, timespec* now) {
  return static_cast<int>(sys::call(SYS_clock_gettime, which, sys::arg(now)));
}

}  // namespace

constinit ClockGettime* libc_clock_gettime = clock_gettime_by_call;

namespace {

struct Reading {
  uint64_t ticks;
  uint64_t ns;
};
Reading read_both() { return {read_ticks(), monotonic_ns()}; }

constinit Reading first_reading{};
constinit Reading last_reading{};
constinit double ns_per_tick = 0;
constinit std::atomic<uint64_t> counted_ticks{0};

// Over a shorter distance the processor's own word is the better one, as in the analyzer.
constexpr uint64_t kLeastDistanceNs = 1'000'000;

double rate_of(const Reading& from, const Reading& to, uint64_t nominal_ticks_per_second) {
  const bool is_measured = to.ns > from.ns && to.ticks > from.ticks;
  if (nominal_ticks_per_second != 0 && (!is_measured || to.ns - from.ns < kLeastDistanceNs)) {
    return 1e9 / static_cast<double>(nominal_ticks_per_second);
  }
  return is_measured ? static_cast<double>(to.ns - from.ns) / static_cast<double>(to.ticks - from.ticks) : 0;
}

constinit uint64_t nominal_rate = 0;
constinit bool is_tsc_chosen = false;

ClockChoice choose(format::Clock clock, uint64_t nominal_ticks_per_second) {
  nominal_rate = nominal_ticks_per_second;
  is_tsc_chosen = clock == format::Clock::tsc;
  first_reading = read_both();
  return {clock, nominal_ticks_per_second};
}

}  // namespace

void forsake_clocks(Forsake which) {
  const Forsake before = forsaken.load(std::memory_order_relaxed);
  if (before >= which) return;
  if (before == Forsake::none) {
    last_reading = read_both();
    ns_per_tick = rate_of(first_reading, last_reading, nominal_rate);
  }
  // Later than any stamp that another thread takes from the counter meanwhile.
  constexpr uint64_t kMargin = 1 << 20;
  if (which == Forsake::kernel_and_processor || !clock_is_tsc.load(std::memory_order_relaxed)) {
    counted_ticks.store(read_ticks() + kMargin, std::memory_order_relaxed);
  }
  // release: whoever counts or estimates sees what that needs
  forsaken.store(which, std::memory_order_release);
  if (which == Forsake::kernel_and_processor) clock_is_tsc.store(false, std::memory_order_release);
}

void regain_clocks(Forsake before) {
  if (before == Forsake::kernel_and_processor) return;
  clock_is_tsc.store(is_tsc_chosen, std::memory_order_release);
  forsaken.store(before, std::memory_order_release);
}

uint64_t estimate_monotonic_ns() {
  std::atomic_thread_fence(std::memory_order_acquire);  // pairs with the release in forsake_clocks
  return last_reading.ns + static_cast<uint64_t>(static_cast<double>(read_ticks() - last_reading.ticks) * ns_per_tick);
}

uint64_t count_ticks() { return counted_ticks.fetch_add(1 << format::kTimeShift, std::memory_order_relaxed); }

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
  if (void* next = dlsym(RTLD_NEXT, "clock_gettime"); next != nullptr) {
    libc_clock_gettime = reinterpret_cast<ClockGettime*>(next);
  }
#if defined(__x86_64__)
  if (has_invariant_tsc()) {
    clock_is_tsc.store(true, std::memory_order_relaxed);
    return choose(format::Clock::tsc, tsc_frequency());
  }
#endif
  return choose(format::Clock::monotonic, 1'000'000'000);
}

}  // namespace memprof
