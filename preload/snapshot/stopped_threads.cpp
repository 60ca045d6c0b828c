#include "snapshot/stopped_threads.h"

#include <linux/futex.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>

#include "platform/clock.h"
#include "platform/own_module.h"
#include "platform/signal_action.h"
#include "platform/syscalls.h"
#include "snapshot/host_frame.h"
#include "snapshot/thread_files.h"
#include "thread_state/thread_state.h"

namespace memprof {

using format::SnapshotThread;
using format::SnapshotThreadState;

namespace {

constexpr size_t kMostThreads = 1u << 16;
constexpr uint64_t kPatienceNs = 500'000'000;
constexpr long kPauseNs = 50'000;
constexpr uint32_t kPausesPerLook = 20;                 // for threads that have ended, or block the signal no more
constexpr uint32_t kMostLooks = 4;                      // at one that sleeps and blocks the signal
constexpr int kMostRounds = 1000;                       // of looking for threads that began meanwhile
constexpr int kFirstRealTime = 32, kLastRealTime = 64;  // libc uses the lowest of the kernel's for itself

// Of the stop under way; what the handler knows. Never given back: a thread may come late.
struct Meeting {
  SnapshotThread* places = nullptr;
  ucontext_t** contexts = nullptr;            // of the same places
  uint32_t process = 0;                       // that has taken the signal
  std::atomic<uint32_t> arrived{0}, left{0};  // the first place is the caller's
  std::atomic<uint32_t> may_go{0};            // a futex
};
constinit Meeting meeting{};

// glibc: set*id in all threads; musl: cancellation.
constexpr int kLibrarySignal = 33;
constinit sys::SignalAction library_action{};

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

bool has_arrived(uint32_t place) {
  return place >= kMostThreads ||
         std::atomic_ref(meeting.places[place].state).load(std::memory_order_acquire) == SnapshotThreadState::stopped;
}

// In a child that was forked meanwhile: the program meant the signal, which comes again when the handler returns.
void be_default(int signal) {
  sys::default_signal(signal);
  sys::call(SYS_tgkill, sys::process_id(), sys::thread_id(), signal);
}

void stand_still(int signal, siginfo_t*, void* context) {
  if (sys::process_id() != meeting.process) return be_default(signal);
  // acquire: pairs with stop(). Not on: it is late.
  if (recording_control->is_stopping.load(std::memory_order_acquire) == 0) return;
  const uint32_t place = meeting.arrived.fetch_add(1, std::memory_order_relaxed);
  if (place < kMostThreads) {
    SnapshotThread& own = meeting.places[place];
    own.thread_id = sys::thread_id();
    own.thread_pointer = own_thread_pointer();
    meeting.contexts[place] = static_cast<ucontext_t*>(context);
    keep_registers(*meeting.contexts[place], &own);
    // release: pairs with has_arrived
    std::atomic_ref(own.state).store(SnapshotThreadState::stopped, std::memory_order_release);
  }
  while (meeting.may_go.load(std::memory_order_acquire) == 0)  // pairs with release()
    sys::call(SYS_futex, sys::arg(&meeting.may_go), FUTEX_WAIT_PRIVATE, 0);
  meeting.left.fetch_add(1, std::memory_order_release);  // pairs with release()
}

void stand_still_or_pass_on(int signal, siginfo_t* info, void* context) {
  const bool is_ours = info->si_code == SI_QUEUE && info->si_value.sival_ptr == &meeting;
  if (is_ours && sys::process_id() == meeting.process) return stand_still(signal, info, context);
  const auto handler = library_action.handler;
  if (!is_ours && handler != nullptr && reinterpret_cast<uintptr_t>(handler) != reinterpret_cast<uintptr_t>(SIG_IGN))
    handler(signal, info, context);
}

bool take_library_signal() {
  sys::SignalAction before;
  if (!sys::handle_signal(kLibrarySignal, stand_still_or_pass_on, &before)) return false;
  if (before.handler != stand_still_or_pass_on) library_action = before;
  return true;
}

long send_signal(uint32_t thread, int signal) {
  const uint32_t own = sys::process_id();
  if (signal != kLibrarySignal) return sys::call(SYS_tgkill, own, thread, signal);
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = static_cast<pid_t>(own);
  info.si_value.sival_ptr = &meeting;
  return sys::call(SYS_rt_tgsigqueueinfo, own, thread, signal, sys::arg(&info));
}

// 0: the program has taken all that are not in `avoided`.
int unused_signal(sys::SignalSet avoided) {
  for (int signal = kLastRealTime; signal > kFirstRealTime + 2; --signal) {
    void (*handler)(int, siginfo_t*, void*) = nullptr;
    if ((avoided & sys::set_of(signal)) == 0 && sys::find_handler(signal, &handler) && handler == nullptr)
      return signal;
  }
  return 0;
}

}  // namespace

StoppedThreads::Asked* StoppedThreads::add(uint32_t thread) {
  size_t at = asked_count_;
  while (at > 0 && asked_[at - 1].thread > thread) --at;
  if (at > 0 && asked_[at - 1].thread == thread) return nullptr;
  too_many_ = too_many_ || asked_count_ == kMostThreads;
  if (too_many_) return nullptr;
  __builtin_memmove(&asked_[at + 1], &asked_[at], (asked_count_ - at) * sizeof(*asked_));
  asked_[at] = {thread, Fate::gone, 0, 0, -1, 0};
  ++asked_count_;
  return &asked_[at];
}

const StoppedThreads::Asked* StoppedThreads::find(uint32_t thread) const {
  size_t first = 0, count = asked_count_;
  while (count > 0) {
    const size_t half = count / 2;
    if (asked_[first + half].thread < thread) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first < asked_count_ && asked_[first].thread == thread ? &asked_[first] : nullptr;
}

// Who blocks a signal may wait for it; who blocks most of them means all.
bool StoppedThreads::choose_signal(uint32_t own) {
  constexpr int kMost = 40;
  sys::SignalSet awaited = 0;
  const bool good = visit_threads([&](uint32_t thread) {
    const sys::SignalSet blocked = thread == own ? 0 : status_of_thread(thread, call_of_thread(thread)).blocked;
    if (__builtin_popcountll(blocked) < kMost) awaited |= blocked;
    return true;
  });
  signal_ = good ? unused_signal(awaited) : 0;
  return signal_ != 0;
}

bool StoppedThreads::ask_new_threads(uint32_t own, bool* any_new) {
  *any_new = false;
  return visit_threads([&](uint32_t thread) {
    if (thread == own) return true;
    Asked* const asked = add(thread);
    if (asked == nullptr) return !too_many_;
    *any_new = true;
    ask(*asked);
    return true;
  });
}

void StoppedThreads::ask(Asked& asked) {
  const CallUnderWay call = call_of_thread(asked.thread);
  const ThreadStatus status = status_of_thread(asked.thread, call);
  asked.fate = Fate::gone;
  if (!status.is_alive) return;
  asked.fate = Fate::unseen;
  asked.signal = signal_;
  if ((status.blocked & sys::set_of(signal_)) != 0 && has_library_signal_) asked.signal = kLibrarySignal;
  if ((status.blocked & sys::set_of(asked.signal)) != 0) {
    // The recorder does so for a moment; where it sleeps then, a disk is slow. Another who sleeps so may wait for
    // signals.
    asked.looks += call.number >= 0 && !is_in_own_module(call.end);
    if (asked.looks < kMostLooks) asked.fate = Fate::blocking;
    return;
  }
  asked.call = call.number;
  asked.call_end = call.end;
  if (send_signal(asked.thread, asked.signal) == 0) asked.fate = Fate::signalled;
}

bool StoppedThreads::ask_blocking_threads() {
  bool any_left = false;
  for (size_t i = 0; i < asked_count_; ++i) {
    if (asked_[i].fate == Fate::blocking) ask(asked_[i]);
    any_left = any_left || asked_[i].fate == Fate::blocking;
  }
  return any_left;
}

size_t StoppedThreads::count_expected() const {
  size_t expected = 0;
  for (size_t i = 0; i < asked_count_; ++i)
    expected += asked_[i].fate == Fate::signalled && sys::thread_exists(sys::process_id(), asked_[i].thread);
  return expected;
}

// Behind those who came.
void StoppedThreads::add_unseen(size_t arrived) {
  count_ = arrived;
  for (size_t i = 0; i < asked_count_ && count_ < kMostThreads; ++i) {
    bool came = asked_[i].fate == Fate::gone;
    for (size_t k = 1; !came && k < arrived; ++k)
      came = threads_[k].thread_id == asked_[i].thread && has_arrived(static_cast<uint32_t>(k));
    if (came || !sys::thread_exists(sys::process_id(), asked_[i].thread)) continue;
    threads_[count_] = {};
    threads_[count_].thread_id = asked_[i].thread;
    threads_[count_].state = SnapshotThreadState::unseen;
    ++count_;
  }
}

// Below the stack pointer of a function that calls none may lie what it keeps. Not in a system call's.
void StoppedThreads::add_red_zones() {
#if defined(__x86_64__)
  constexpr uint64_t kRedZoneBytes = 128;
  for (size_t place = 1; place < count_; ++place) {
    if (threads_[place].state != SnapshotThreadState::stopped || meeting.contexts[place] == nullptr) continue;
    const Asked* const asked = find(threads_[place].thread_id);
    const bool is_in_call =
        asked != nullptr && asked->call >= 0 &&
        static_cast<uint64_t>(meeting.contexts[place]->uc_mcontext.gregs[REG_RIP]) == asked->call_end;
    if (!is_in_call) threads_[place].stack_pointer -= kRedZoneBytes;
  }
#endif
}

bool StoppedThreads::stop() {
  signal_ = 0;
  asked_count_ = count_ = 0;
  too_many_ = false;
  if (meeting.places == nullptr) {
    meeting.places = static_cast<SnapshotThread*>(sys::map_anonymous(kMostThreads * sizeof(SnapshotThread)));
    meeting.contexts = static_cast<ucontext_t**>(sys::map_anonymous(kMostThreads * sizeof(ucontext_t*)));
  }
  asked_ = static_cast<Asked*>(sys::map_anonymous((kMostThreads + 1) * sizeof(*asked_)));
  threads_ = meeting.places;
  if (threads_ == nullptr || meeting.contexts == nullptr || asked_ == nullptr) return false;
  const uint32_t own = sys::thread_id();
  for (size_t i = 0; i < kMostThreads && threads_[i].thread_id != 0; ++i) threads_[i] = {};
  threads_[0].thread_id = own;
  threads_[0].state = SnapshotThreadState::taking;
  threads_[0].thread_pointer = own_thread_pointer();
  keep_host_frame(&threads_[0]);
  count_ = 1;
  meeting.process = sys::process_id();
  if (!choose_signal(own) || !sys::handle_signal(signal_, stand_still)) {
    signal_ = 0;
    return false;
  }
  has_library_signal_ = take_library_signal();
  meeting.arrived.store(1, std::memory_order_relaxed);
  meeting.left.store(1, std::memory_order_relaxed);
  meeting.may_go.store(0, std::memory_order_relaxed);
  recording_control->is_stopping.store(1, std::memory_order_release);  // pairs with stand_still

  // A thread that has not stopped yet may begin others.
  const uint64_t begin_ns = monotonic_ns();
  bool good = true;
  for (int round = 0; good && round < kMostRounds; ++round) {
    bool any_new = false;
    good = ask_new_threads(own, &any_new);
    if (!any_new) break;
    uint32_t place = 1;
    bool any_blocking = ask_blocking_threads();
    size_t expected = count_expected();
    for (uint32_t pauses = 0; (any_blocking || place <= expected) && monotonic_ns() - begin_ns < kPatienceNs;) {
      if (place <= expected && has_arrived(place)) {
        ++place;
        continue;
      }
      sys::sleep_ns(kPauseNs);
      if (++pauses % kPausesPerLook != 0) continue;
      any_blocking = any_blocking && ask_blocking_threads();
      expected = count_expected();
    }
  }
  const size_t arrived = meeting.arrived.load(std::memory_order_acquire);
  add_unseen(arrived < kMostThreads ? arrived : kMostThreads);
  add_red_zones();
  return good;
}

// Where the kernel does not: it would have returned EINTR to a program without a handler.
void StoppedThreads::restart_calls() const {
#if defined(__x86_64__)
  for (size_t place = 1; place < count_; ++place) {
    if (threads_[place].state != SnapshotThreadState::stopped || meeting.contexts[place] == nullptr) continue;
    const Asked* const asked = find(threads_[place].thread_id);
    if (asked == nullptr || asked->call < 0) continue;
    auto& registers = meeting.contexts[place]->uc_mcontext.gregs;
    const auto* const code = reinterpret_cast<const unsigned char*>(registers[REG_RIP]) - 2;
    constexpr long long kCallInterrupted = -4;  // EINTR
    if (registers[REG_RAX] != kCallInterrupted || static_cast<uint64_t>(registers[REG_RIP]) != asked->call_end ||
        code[0] != 0x0f || code[1] != 0x05)
      continue;
    registers[REG_RAX] = asked->call;
    registers[REG_RIP] -= 2;
  }
#endif
}

// But where a thread may still get one.
void StoppedThreads::give_signals_back() const {
  size_t still_signalled = count_expected() + 1;
  for (const SnapshotThread& thread : *this) still_signalled -= thread.state != SnapshotThreadState::unseen;
  if (still_signalled != 0) return;
  sys::default_signal(signal_);
  void (*handler)(int, siginfo_t*, void*) = nullptr;
  // Unless the library has set one of its own meanwhile.
  if (has_library_signal_ && sys::find_handler(kLibrarySignal, &handler) && handler == stand_still_or_pass_on)
    sys::set_action(kLibrarySignal, library_action);
}

void StoppedThreads::release() {
  if (signal_ != 0) {
    restart_calls();
    recording_control->is_stopping.store(0, std::memory_order_release);
    meeting.may_go.store(1, std::memory_order_release);  // pairs with stand_still
    sys::call(SYS_futex, sys::arg(&meeting.may_go), FUTEX_WAKE_PRIVATE, INT32_MAX);
    const uint64_t begin_ns = monotonic_ns();
    // acquire: pairs with the release of who leaves
    while (meeting.left.load(std::memory_order_acquire) < meeting.arrived.load(std::memory_order_relaxed) &&
           monotonic_ns() - begin_ns < kPatienceNs)
      sys::sleep_ns(kPauseNs);
    give_signals_back();
  }
  if (asked_ != nullptr) sys::unmap_anonymous(asked_, (kMostThreads + 1) * sizeof(*asked_));
  asked_ = nullptr;
}

}  // namespace memprof
