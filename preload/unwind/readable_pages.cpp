#include "unwind/readable_pages.h"

#include "platform/syscalls.h"

#include <atomic>

namespace memprof {
namespace {

// One bit for a granule of 64 KiB, by hash: set before a stack in it is trusted, never cleared.
constexpr unsigned kGranuleBits = 16;
constexpr unsigned kFilterBits = 20;
constexpr uintptr_t kMostGranules = 1024;  // of a range; more are not worth asking
constinit std::atomic<uint64_t> trusted[1u << (kFilterBits - 6)] = {};

struct Bit {
  std::atomic<uint64_t>& word;
  uint64_t mask;
};
Bit bit_of(uintptr_t granule) {
  const uint64_t place = granule * 0x9E3779B97F4A7C15 >> (64 - kFilterBits);
  return {trusted[place / 64], uint64_t{1} << place % 64};
}

}  // namespace

bool may_hold_stack(uintptr_t start, size_t bytes) {
  if (bytes == 0) return false;
  const uintptr_t first = start >> kGranuleBits, last = (start + bytes - 1) >> kGranuleBits;
  if (last - first >= kMostGranules) return true;
  for (uintptr_t granule = first; granule <= last; ++granule) {
    const Bit bit = bit_of(granule);
    if ((bit.word.load(std::memory_order_seq_cst) & bit.mask) != 0) return true;
  }
  return false;
}

void ReadablePages::note_top(uintptr_t sp, uintptr_t high) {
  constexpr uintptr_t kPageBytes = uintptr_t{1} << kPageBits, kMostBytes = 2048 * kPageBytes;
  if (high <= sp) return;
  if (high - sp > kMostBytes) high = sp + kMostBytes;
  const uintptr_t first = sp >> kGranuleBits, last = (high - 1) >> kGranuleBits;
  for (uintptr_t granule = first; granule <= last; ++granule) {
    const Bit bit = bit_of(granule);
    if ((bit.word.load(std::memory_order_relaxed) & bit.mask) == 0) {
      bit.word.fetch_or(bit.mask, std::memory_order_seq_cst);
    }
  }
  // After the bits are set: whoever unmaps a page that was readable here finds them. What the last top was found for
  // need not be asked for again, as this stack leads through it.
  const bool is_last_known = last_round_ == round_;
  for (uintptr_t page = (sp | (kPageBytes - 1)) + 1; page < high; page += kPageBytes) {
    if (is_last_known && page >= last_low_ && page < last_high_) {
      page = (last_high_ - 1) & ~(kPageBytes - 1);
    } else if (!is_readable(page)) {
      high = page;
    }
  }
  tops_[place_of(sp)] = {tag_of(sp), high};
  const bool joins = is_last_known && sp < last_high_ && high >= last_low_;
  last_low_ = joins && last_low_ < sp ? last_low_ : sp;
  last_high_ = joins && last_high_ > high ? last_high_ : high;
  last_round_ = round_;
}

__attribute__((noinline, cold)) bool ReadablePages::is_readable(uintptr_t address) {
  constexpr long kNoSuchHow = -1, kBadAddress = -14;
  return sys::call(SYS_rt_sigprocmask, kNoSuchHow, static_cast<long>(address), 0, sizeof(uint64_t)) != kBadAddress;
}

}  // namespace memprof
