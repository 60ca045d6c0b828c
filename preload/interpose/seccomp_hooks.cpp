// Calls by which the host gives up system calls (seccomp) or the processor's clock (PR_SET_TSC), or ends without libc.
// Each is passed on as it came, after the recorder got what it needs.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose/cxx_runtime.h"
#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "interpose/next_function.h"
#include "lifecycle/lifecycle.h"

using namespace memprof;

namespace {

constinit NextFunction<int(int, ...)> next_prctl("prctl");
constinit NextFunction<long(long, ...)> next_syscall("syscall");

MEMPROF_FIND_NEXT void find_next() {
  next_prctl.get();
  next_syscall.get();
}

enum class Request { other, strict, filter, no_tsc };

Request request_of_prctl(long option, long mode, long program) {
  if (option == PR_SET_TSC && mode == PR_TSC_SIGSEGV) return Request::no_tsc;
  if (option != PR_SET_SECCOMP) return Request::other;
  if (mode == SECCOMP_MODE_STRICT) return Request::strict;
  // Without a program it fails: so hosts ask whether the kernel knows filters.
  return mode == SECCOMP_MODE_FILTER && program != 0 ? Request::filter : Request::other;
}

Request request_of_seccomp(long operation, long program) {
  if (operation == SECCOMP_SET_MODE_STRICT) return Request::strict;
  return operation == SECCOMP_SET_MODE_FILTER && program != 0 ? Request::filter : Request::other;
}

// Makes the call in between.
template <typename Call>
long confined(Request request, bool positive_is_failure, Call call) {
  if (request == Request::no_tsc) {
    forsake_clocks(Forsake::kernel_and_processor);
    return call();
  }
  const int errno_before = errno;
  find_loaded_cxx_operators();  // as a look-up later may search for files
  errno = errno_before;
  // Strict mode takes the processor's clock too.
  const bool gave_up =
      give_up_system_calls(request == Request::strict ? Forsake::kernel_and_processor : Forsake::kernel);
  const long result = call();
  if (gave_up && (result < 0 || (positive_is_failure && result > 0))) regain_system_calls();
  return result;
}

}  // namespace

MEMPROF_EXPORT int prctl(int option, ...) noexcept {
  va_list more;
  va_start(more, option);
  const auto a = va_arg(more, unsigned long), b = va_arg(more, unsigned long), c = va_arg(more, unsigned long),
             d = va_arg(more, unsigned long);
  va_end(more);
  const Request request = request_of_prctl(option, static_cast<long>(a), static_cast<long>(b));
  const auto call = [&] { return next_prctl.get()(option, a, b, c, d); };
  if (__builtin_expect(request == Request::other, 1)) return call();
  return static_cast<int>(confined(request, false, call));
}

MEMPROF_EXPORT long syscall(long number, ...) noexcept {
  va_list more;
  va_start(more, number);
  const long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long), d = va_arg(more, long),
             e = va_arg(more, long), f = va_arg(more, long);
  va_end(more);
  const auto call = [&] { return next_syscall.get()(number, a, b, c, d, e, f); };
  if (number == SYS_exit_group) note_end(format::EndState::immediate_exit);
  Request request = Request::other;
  bool positive_is_failure = false;
  if (number == SYS_prctl) request = request_of_prctl(a, b, c);
  if (number == SYS_seccomp) {
    request = request_of_seccomp(a, c);
    // With TSYNC, the thread that could not be given the filter.
    positive_is_failure = (b & SECCOMP_FILTER_FLAG_TSYNC) != 0 && (b & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0;
  }
  if (__builtin_expect(request == Request::other, 1)) return call();
  return confined(request, positive_is_failure, call);
}

MEMPROF_LATE_NAME(prctl);
MEMPROF_LATE_NAME(syscall);

void memprof::list_seccomp_hooks(LateHooks& hooks) {
  hooks.add("prctl", memprof_late_prctl, next_prctl.place());
  hooks.add("syscall", memprof_late_syscall, next_syscall.place());
}
