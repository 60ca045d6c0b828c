// What the process does when a signal comes, by the kernel's own call: libc's notes of it are the host's.
#pragma once

#include <signal.h>

#include "platform/syscalls.h"

namespace memprof::sys {

// The kernel's struct sigaction.
struct SignalAction {
  void (*handler)(int, siginfo_t*, void*) = nullptr;  // null: the default
  unsigned long flags = 0;
#if defined(__x86_64__)
  void (*restorer)() = nullptr;
#endif
  SignalSet mask = 0;
};

// A handler that runs with all signals blocked, on the thread's other stack if it has one, and calls that it interrupts
// go on. False: it is refused.
bool handle_signal(int signal, void (*handler)(int, siginfo_t*, void*));
bool default_signal(int signal);
// The same for a signal that has a handler of somebody's, who gets it back. False: it is refused.
bool handle_signal(int signal, void (*handler)(int, siginfo_t*, void*), SignalAction* before);
bool set_action(int signal, const SignalAction& action);
// Null: the default; nothing is known of a signal that there is not.
bool find_handler(int signal, void (**handler)(int, siginfo_t*, void*));

}  // namespace memprof::sys
