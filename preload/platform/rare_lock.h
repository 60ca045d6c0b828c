// The lock of the rare paths: growing the file, a new module, a new thread.
//
// Invariants: every signal is blocked while it is held, so no handler can meet it half-way, longjmp out of it or be
// cancelled in it; nothing of the host or of the loader is called under it; what a thread held that fork did not copy
// is taken over.
//
// Where no system call may be made (platform/syscalls.h) signals are not blocked, and the interrupted holder may be the
// one who asks. So there the lock is waited for a short time only, and whoever does not get it goes without.
#pragma once

#include <atomic>

#include "platform/syscalls.h"

namespace memprof {

class RareLock {
 public:
  constexpr RareLock() = default;
  void reset() { holder_.store(0, std::memory_order_relaxed); }

 private:
  friend class RareGuard;
  bool take() {
    if (!sys::may_call()) return take_without_kernel();
    const uint32_t own = sys::thread_id();
    if (own == 0) return take_without_kernel();
    for (uint32_t tries = 1;; ++tries) {
      uint32_t holder = 0;
      // acquire: pairs with the release of the previous holder
      if (holder_.compare_exchange_strong(holder, own, std::memory_order_acquire)) return true;
      if (!sys::may_call()) return take_without_kernel();
      if (tries % kTriesPerSleep != 0) {
        sys::yield();
        continue;
      }
      // A holder of lower real-time priority runs only while we sleep; one that fork did not copy never lets go.
      sys::sleep_ns(50'000);
      if (!sys::thread_exists(sys::process_id(), holder) &&
          holder_.compare_exchange_strong(holder, own, std::memory_order_acquire)) {
        return true;
      }
    }
  }
  bool take_without_kernel() {
    for (uint32_t tries = 0; tries < kTriesWithoutKernel; ++tries) {
      uint32_t holder = 0;
      // acquire: pairs with the release of the previous holder
      if (holder_.compare_exchange_weak(holder, kUnknownHolder, std::memory_order_acquire)) return true;
    }
    return false;
  }
  void give() { holder_.store(0, std::memory_order_release); }

  static constexpr uint32_t kTriesPerSleep = 64;
  static constexpr uint32_t kTriesWithoutKernel = 100'000;  // a few milliseconds
  static constexpr uint32_t kUnknownHolder = UINT32_MAX;
  std::atomic<uint32_t> holder_{0};  // its thread id
};

// For steps that a signal handler must not leave half-way.
class SignalsBlocked {
 public:
  SignalsBlocked() : done_(sys::block_all_signals(&before_)) {}
  ~SignalsBlocked() {
    if (done_) sys::restore_signals(before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sys::SignalSet before_ = 0;
  bool done_;
};

class RareGuard {
 public:
  explicit RareGuard(RareLock& lock) : lock_(lock), held_(lock_.take()) {}
  ~RareGuard() {
    if (held_) lock_.give();
  }
  RareGuard(const RareGuard&) = delete;
  RareGuard& operator=(const RareGuard&) = delete;

  // False only where no system call may be made.
  bool held() const { return held_; }

 private:
  SignalsBlocked blocked_;  // before the lock is taken, until after it is given back
  RareLock& lock_;
  bool held_;
};

}  // namespace memprof
