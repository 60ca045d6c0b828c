#include "platform/signal_action.h"

namespace memprof::sys {

namespace {

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

bool change(int signal, const SignalAction* wanted, SignalAction* before) {
  return call(SYS_rt_sigaction, signal, arg(wanted), arg(before), sizeof(SignalSet)) == 0;
}

}  // namespace

bool handle_signal(int signal, void (*handler)(int, siginfo_t*, void*)) {
  return handle_signal(signal, handler, nullptr);
}

bool handle_signal(int signal, void (*handler)(int, siginfo_t*, void*), SignalAction* before) {
  SignalAction action;
  action.handler = handler;
  action.flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
#if defined(__x86_64__)
  constexpr unsigned long kHasRestorer = 0x04000000;
  action.flags |= kHasRestorer;
  action.restorer = memprof_return_from_signal;
#endif
  action.mask = ~SignalSet{0};
  return change(signal, &action, before);
}

bool set_action(int signal, const SignalAction& action) { return change(signal, &action, nullptr); }

bool default_signal(int signal) { return set_action(signal, SignalAction{}); }

bool find_handler(int signal, void (**handler)(int, siginfo_t*, void*)) {
  SignalAction found;
  if (!change(signal, nullptr, &found)) return false;
  *handler = found.handler;
  return true;
}

}  // namespace memprof::sys
