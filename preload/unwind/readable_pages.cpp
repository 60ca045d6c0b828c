#include "unwind/readable_pages.h"

#include "platform/syscalls.h"

namespace memprof {

__attribute__((noinline, cold)) bool ReadablePages::is_readable(uintptr_t address) {
  constexpr long kNoSuchHow = -1, kBadAddress = -14;
  return sys::call(SYS_rt_sigprocmask, kNoSuchHow, static_cast<long>(address), 0, sizeof(uint64_t)) != kBadAddress;
}

void ReadablePages::note_frame(uintptr_t sp, uintptr_t cfa) {
  constexpr uintptr_t kPageBytes = uintptr_t{1} << kPageBits;
  constexpr uintptr_t kMostBytes = 64 * kPageBytes;  // a frame with a large array is not read through
  const uintptr_t low = sp & ~(kPageBytes - 1), high = (cfa + kPageBytes - 1) & ~(kPageBytes - 1);
  if (cfa <= sp || high - low > kMostBytes) return;
  for (uintptr_t page = low; page != high; page += kPageBytes) {
    if (!contain_word(page)) return;
  }
  const bool joins = low <= high_ && high >= low_ && high_ != 0;
  low_ = joins && low_ < low ? low_ : low;
  high_ = joins && high_ > high ? high_ : high;
}

}  // namespace memprof
