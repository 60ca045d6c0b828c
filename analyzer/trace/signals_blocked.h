// The signals by which a user ends a program wait while a file is put in its place.
#pragma once

#include <csignal>

namespace memprof {

inline constexpr int kFatalSignals[] = {SIGHUP, SIGINT, SIGTERM};

// For this thread; nothing else runs when it is used.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kFatalSignals) sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace memprof
