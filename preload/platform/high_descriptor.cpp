#include "platform/high_descriptor.h"

#include "platform/syscalls.h"

namespace memprof {

int move_high(int fd) {
  struct rlimit limit;
  if (sys::resource_limit(RLIMIT_NOFILE, &limit) != 0) return fd;
  constexpr long kHighest = 1000;  // at each fork the kernel copies a table of 1,024 then, and not one of a million
  long number = limit.rlim_cur < kHighest ? static_cast<long>(limit.rlim_cur) : kHighest;
  // Downwards in steps, as the topmost numbers may be taken.
  for (number -= 1; number > fd; number -= 1 + number / 8) {
    const long moved = sys::control(fd, F_DUPFD_CLOEXEC, number);
    if (moved < 0) continue;
    sys::close_file(fd);
    return static_cast<int>(moved);
  }
  return fd;
}

}  // namespace memprof
