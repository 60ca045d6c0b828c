#include "unwind/readable_pages.h"

#include "platform/syscalls.h"

namespace memprof {

__attribute__((noinline, cold)) bool ReadablePages::is_readable(uintptr_t address) {
  constexpr long kNoSuchHow = -1, kBadAddress = -14;
  return sys::call(SYS_rt_sigprocmask, kNoSuchHow, static_cast<long>(address), 0, sizeof(uint64_t)) != kBadAddress;
}

}  // namespace memprof
