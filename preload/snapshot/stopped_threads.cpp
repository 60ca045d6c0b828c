#include "snapshot/stopped_threads.h"

#include <linux/futex.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>

#include "platform/clock.h"
#include "platform/syscalls.h"

namespace memprof {

using format::SnapshotThread;
using format::SnapshotThreadState;

namespace {

constexpr size_t kMostThreads = 1u << 16;
constexpr uint64_t kPatienceNs = 500'000'000;
constexpr long kPauseNs = 50'000;
constexpr uint32_t kPausesPerLook = 20;                 // for threads that have ended
constexpr int kMostRounds = 1000;                       // of looking for threads that began meanwhile
constexpr int kFirstRealTime = 32, kLastRealTime = 64;  // libc uses the lowest of the kernel's for itself

// The kernel's struct sigaction.
struct Action {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
#if defined(__x86_64__)
  void (*restorer)();
#endif
  sys::SignalSet mask;
};

// Of the stop under way; what the handler knows. Never given back: a thread may come late.
struct Meeting {
  SnapshotThread* places = nullptr;
  std::atomic<bool> is_on{false};
  std::atomic<uint32_t> arrived{0}, left{0};  // the first place is the caller's
  std::atomic<uint32_t> may_go{0};            // a futex
};
constinit Meeting meeting{};

uintptr_t own_thread_pointer() { return reinterpret_cast<uintptr_t>(__builtin_thread_pointer()); }

void keep_registers(const ucontext_t& context, SnapshotThread* out) {
#if defined(__x86_64__)
  out->stack_pointer = static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RSP]);
  for (size_t i = 0; i <= REG_RIP; ++i) out->registers[i] = static_cast<uint64_t>(context.uc_mcontext.gregs[i]);
#elif defined(__aarch64__)
  out->stack_pointer = context.uc_mcontext.sp;
  for (size_t i = 0; i < 31; ++i) out->registers[i] = context.uc_mcontext.regs[i];
#endif
}

// Those that a callee leaves as they are: the rest is in the frames of those who called.
[[gnu::always_inline]] inline void keep_own_registers(SnapshotThread* out) {
#if defined(__x86_64__)
  asm volatile(
      "mov %%rbx, 0(%0)\n mov %%rbp, 8(%0)\n mov %%r12, 16(%0)\n mov %%r13, 24(%0)\n mov %%r14, 32(%0)\n"
      "mov %%r15, 40(%0)"
      :
      : "r"(out->registers)
      : "memory");
#elif defined(__aarch64__)
  asm volatile(
      "stp x19, x20, [%0]\n stp x21, x22, [%0, 16]\n stp x23, x24, [%0, 32]\n stp x25, x26, [%0, 48]\n"
      "stp x27, x28, [%0, 64]"
      :
      : "r"(out->registers)
      : "memory");
#endif
}

void stand_still(int, siginfo_t*, void* context) {
  if (!meeting.is_on.load(std::memory_order_acquire)) return;  // pairs with stop(); it is late
  const uint32_t place = meeting.arrived.fetch_add(1, std::memory_order_relaxed);
  if (place < kMostThreads) {
    SnapshotThread& own = meeting.places[place];
    own.thread_id = sys::thread_id();
    own.thread_pointer = own_thread_pointer();
    keep_registers(*static_cast<const ucontext_t*>(context), &own);
    // release: pairs with has_arrived
    __atomic_store_n(&own.state, SnapshotThreadState::stopped, __ATOMIC_RELEASE);
  }
  while (meeting.may_go.load(std::memory_order_acquire) == 0)  // pairs with release()
    sys::call(SYS_futex, sys::arg(&meeting.may_go), FUTEX_WAIT_PRIVATE, 0);
  meeting.left.fetch_add(1, std::memory_order_release);  // pairs with release()
}

bool has_arrived(uint32_t place) {
  return place >= kMostThreads ||
         __atomic_load_n(&meeting.places[place].state, __ATOMIC_ACQUIRE) == SnapshotThreadState::stopped;
}

#if defined(__x86_64__)
asm(R"(
  .text
  .type memprof_return_from_signal, @function
  .hidden memprof_return_from_signal
memprof_return_from_signal:
  mov $15, %eax
  syscall
  .size memprof_return_from_signal, . - memprof_return_from_signal
)");
extern "C" void memprof_return_from_signal() __attribute__((visibility("hidden")));
#endif

long change_action(int signal, const Action* wanted, Action* before) {
  return sys::call(SYS_rt_sigaction, signal, sys::arg(wanted), sys::arg(before), sizeof(sys::SignalSet));
}

// 0: the program has taken all.
int unused_signal() {
  for (int signal = kLastRealTime; signal > kFirstRealTime + 2; --signal) {
    Action found{};
    if (change_action(signal, nullptr, &found) == 0 && found.handler == nullptr) return signal;
  }
  return 0;
}

bool take_over(int signal) {
  Action action{};
  action.handler = stand_still;
  action.flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
#if defined(__x86_64__)
  constexpr unsigned long kHasRestorer = 0x04000000;
  action.flags |= kHasRestorer;
  action.restorer = memprof_return_from_signal;
#endif
  action.mask = ~sys::SignalSet{0};
  return change_action(signal, &action, nullptr) == 0;
}

// Of getdents64.
struct DirectoryEntry {
  uint64_t inode, offset;
  uint16_t bytes;
  unsigned char type;
  char name[1];
};

size_t count_alive(const uint32_t* threads, size_t count) {
  size_t alive = 0;
  for (size_t i = 0; i < count; ++i) alive += sys::thread_exists(sys::process_id(), threads[i]);
  return alive;
}

}  // namespace

bool StoppedThreads::add(uint32_t thread, bool* is_new) {
  size_t at = asked_count_;
  while (at > 0 && asked_[at - 1] > thread) --at;
  *is_new = at == 0 || asked_[at - 1] != thread;
  if (!*is_new) return true;
  if (asked_count_ == kMostThreads) return false;
  __builtin_memmove(&asked_[at + 1], &asked_[at], (asked_count_ - at) * sizeof(*asked_));
  asked_[at] = thread;
  ++asked_count_;
  return true;
}

bool StoppedThreads::signal_new_threads(uint32_t own, bool* any_new) {
  *any_new = false;
  const long opened = sys::open_file("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return false;
  alignas(DirectoryEntry) char text[2048];
  long bytes;
  bool good = true;
  while (good && (bytes = sys::call(SYS_getdents64, opened, sys::arg(text), sizeof(text))) > 0) {
    for (long at = 0; good && at < bytes;) {
      const auto* const entry = reinterpret_cast<const DirectoryEntry*>(text + at);
      at += entry->bytes;
      uint32_t thread = 0;
      for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; ++digit)
        thread = thread * 10 + static_cast<uint32_t>(*digit - '0');
      bool is_new = false;
      if (thread == 0 || thread == own) continue;
      good = add(thread, &is_new);
      if (!is_new) continue;
      *any_new = true;
      sys::call(SYS_tgkill, sys::process_id(), thread, signal_);
    }
  }
  sys::close_file(static_cast<int>(opened));
  return good && bytes == 0;
}

bool StoppedThreads::stop() {
  if (meeting.places == nullptr)
    meeting.places = static_cast<SnapshotThread*>(sys::map_anonymous(kMostThreads * sizeof(SnapshotThread)));
  asked_ = static_cast<uint32_t*>(sys::map_anonymous(kMostThreads * sizeof(*asked_)));
  threads_ = meeting.places;
  if (threads_ == nullptr || asked_ == nullptr) return false;
  const uint32_t own = sys::thread_id();
  for (size_t i = 0; i < kMostThreads && threads_[i].thread_id != 0; ++i) threads_[i] = {};
  threads_[0].thread_id = own;
  threads_[0].state = SnapshotThreadState::taking;
  threads_[0].thread_pointer = own_thread_pointer();
  threads_[0].stack_pointer = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  keep_own_registers(&threads_[0]);
  count_ = 1;
  signal_ = unused_signal();
  if (signal_ == 0 || !take_over(signal_)) return false;
  meeting.arrived.store(1, std::memory_order_relaxed);
  meeting.left.store(1, std::memory_order_relaxed);
  meeting.may_go.store(0, std::memory_order_relaxed);
  meeting.is_on.store(true, std::memory_order_release);  // pairs with stand_still

  // A thread that has not stopped yet may begin others.
  const uint64_t begin_ns = monotonic_ns();
  bool good = true;
  for (int round = 0; good && round < kMostRounds; ++round) {
    bool any_new = false;
    good = signal_new_threads(own, &any_new);
    if (!any_new) break;
    uint32_t place = 1;
    size_t expected = asked_count_;
    for (uint32_t pauses = 0; place <= expected && monotonic_ns() - begin_ns < kPatienceNs;) {
      if (has_arrived(place)) {
        ++place;
        continue;
      }
      sys::sleep_ns(kPauseNs);
      if (++pauses % kPausesPerLook == 0) expected = count_alive(asked_, asked_count_);
    }
  }
  size_t arrived = meeting.arrived.load(std::memory_order_acquire);
  if (arrived > kMostThreads) arrived = kMostThreads;
  // Who was asked and did not come, and is still there.
  count_ = arrived;
  for (size_t i = 0; i < asked_count_ && count_ < kMostThreads; ++i) {
    bool came = false;
    for (size_t k = 1; !came && k < arrived; ++k)
      came = threads_[k].thread_id == asked_[i] && has_arrived(static_cast<uint32_t>(k));
    if (came || !sys::thread_exists(sys::process_id(), asked_[i])) continue;
    threads_[count_] = {};
    threads_[count_].thread_id = asked_[i];
    threads_[count_].state = SnapshotThreadState::unseen;
    ++count_;
  }
  return good;
}

void StoppedThreads::release() {
  if (signal_ != 0) {
    meeting.is_on.store(false, std::memory_order_release);
    meeting.may_go.store(1, std::memory_order_release);  // pairs with stand_still
    sys::call(SYS_futex, sys::arg(&meeting.may_go), FUTEX_WAKE_PRIVATE, INT32_MAX);
    const uint64_t begin_ns = monotonic_ns();
    // acquire: pairs with the release of who leaves
    while (meeting.left.load(std::memory_order_acquire) < meeting.arrived.load(std::memory_order_relaxed) &&
           monotonic_ns() - begin_ns < kPatienceNs)
      sys::sleep_ns(kPauseNs);
    bool all_came = true;
    for (const SnapshotThread& thread : *this) all_came &= thread.state != SnapshotThreadState::unseen;
    const Action by_default{};
    if (all_came) change_action(signal_, &by_default, nullptr);
  }
  if (asked_ != nullptr) sys::unmap_anonymous(asked_, kMostThreads * sizeof(*asked_));
  asked_ = nullptr;
}

}  // namespace memprof
