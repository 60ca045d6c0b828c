// The lock of the rare paths: growing the file, a new module, a new thread.
//
// Invariants: every signal is blocked while it is held, so no handler can meet it half-way, longjmp out of it or be
// cancelled in it; nothing of the host or of the loader is called under it; a forked child resets it before use.
#pragma once

#include <atomic>

#include "platform/syscalls.h"

namespace memprof {

class RareLock {
 public:
  constexpr RareLock() = default;
  void reset() { locked_.store(0, std::memory_order_relaxed); }

 private:
  friend class RareGuard;
  std::atomic<uint32_t> locked_{0};
};

class RareGuard {
 public:
  explicit RareGuard(RareLock& lock) : lock_(lock), before_(sys::block_all_signals()) {
    // acquire: pairs with the release in the destructor of the previous holder
    while (lock_.locked_.exchange(1, std::memory_order_acquire) != 0) {
      sys::yield();
    }
  }
  ~RareGuard() {
    lock_.locked_.store(0, std::memory_order_release);
    sys::restore_signals(before_);
  }
  RareGuard(const RareGuard&) = delete;
  RareGuard& operator=(const RareGuard&) = delete;

 private:
  RareLock& lock_;
  sys::SignalSet before_;
};

}  // namespace memprof
