#include "unwind/readable_pages.h"

#include "platform/syscalls.h"

#include <atomic>

namespace memprof {
namespace {

// One bit for a granule of 64 KiB, by hash: set before its first page is asked for, never cleared.
constexpr unsigned kGranuleBits = 16;
constexpr unsigned kFilterBits = 16;
constinit std::atomic<uint64_t> asked_for[1u << (kFilterBits - 6)] = {};

struct Bit {
  std::atomic<uint64_t>& word;
  uint64_t mask;
};
Bit bit_of(uintptr_t granule) {
  const uint64_t place = granule * 0x9E3779B97F4A7C15 >> (64 - kFilterBits);
  return {asked_for[place / 64], uint64_t{1} << place % 64};
}

void note_asked(uintptr_t address) {
  const Bit bit = bit_of(address >> kGranuleBits);
  // A full barrier: whoever unmaps the page after we found it readable finds the bit.
  if ((bit.word.load(std::memory_order_relaxed) & bit.mask) == 0)
    bit.word.fetch_or(bit.mask, std::memory_order_seq_cst);
}

}  // namespace

bool may_hold_stack(uintptr_t start, size_t bytes) {
  constexpr uintptr_t kMostGranules = 1024;  // more are not worth asking
  if (bytes == 0) return false;
  const uintptr_t first = start >> kGranuleBits, last = (start + bytes - 1) >> kGranuleBits;
  if (last - first >= kMostGranules) return true;
  for (uintptr_t granule = first; granule <= last; ++granule) {
    const Bit bit = bit_of(granule);
    if ((bit.word.load(std::memory_order_seq_cst) & bit.mask) != 0) return true;
  }
  return false;
}

__attribute__((noinline, cold)) bool ReadablePages::is_readable(uintptr_t address) {
  constexpr long kNoSuchHow = -1, kBadAddress = -14;
  note_asked(address);
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
