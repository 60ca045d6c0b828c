#include "unwind/readable_pages.h"

#include <atomic>

#include "platform/syscalls.h"
#include "platform/text.h"

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

// The map of memory, taken before the kernel can no longer be asked: sorted, without overlaps. A range that is given up
// becomes empty. Written before `remembered_count` is, then only made smaller.
struct Range {
  std::atomic<uintptr_t> start;
  std::atomic<uintptr_t> end;
};
constexpr uint32_t kMostRanges = 4096;
constinit Range remembered[kMostRanges] = {};
constinit std::atomic<uint32_t> remembered_count{0};

bool was_readable(uintptr_t address) {
  uint32_t low = 0, high = remembered_count.load(std::memory_order_acquire);  // pairs with remember_readable_memory
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (remembered[middle].start.load(std::memory_order_relaxed) <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && address < remembered[low - 1].end.load(std::memory_order_relaxed);
}

// One line of /proc/self/maps: "START-END PERMISSIONS OFFSET DEVICE INODE PATH".
class MapsLine {
 public:
  void add(char c) { line_.add(c); }
  void clear() { line_.clear(); }

  void remember(uint32_t* count) const {
    const char* at = line_.c_str();
    uintptr_t start = read_hex(&at);
    if (*at++ != '-') return;
    const uintptr_t end = read_hex(&at);
    const bool is_private_data = at[0] == ' ' && at[1] == 'r' && at[2] == 'w' && at[4] == 'p';
    if (!is_private_data) return;
    if (is_main_stack()) start = lowest_of_main_stack(end);
    if (*count > 0 && remembered[*count - 1].end.load(std::memory_order_relaxed) >= start) {
      remembered[*count - 1].end.store(end, std::memory_order_relaxed);
    } else if (*count < kMostRanges) {
      remembered[*count].start.store(start, std::memory_order_relaxed);
      remembered[*count].end.store(end, std::memory_order_relaxed);
      ++*count;
    }
  }

 private:
  static uintptr_t read_hex(const char** at) {
    uintptr_t value = 0;
    for (;; ++*at) {
      const char c = **at;
      if (c >= '0' && c <= '9') {
        value = value << 4 | static_cast<uintptr_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        value = value << 4 | static_cast<uintptr_t>(c - 'a' + 10);
      } else {
        return value;
      }
    }
  }
  bool is_main_stack() const {
    constexpr const char* kName = "[stack]";
    const size_t bytes = text_length(kName);
    return line_.length() > bytes && text_equals(line_.c_str() + line_.length() - bytes, kName);
  }
  // It grows by itself: what lies above a live stack pointer in it can be read.
  static uintptr_t lowest_of_main_stack(uintptr_t end) {
    constexpr uintptr_t kMost = uintptr_t{64} << 20;
    struct rlimit limit;
    if (sys::resource_limit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur > kMost) return end - kMost;
    return end - limit.rlim_cur;
  }

  Text<512> line_;
};

}  // namespace

void remember_readable_memory() {
  const long fd = sys::open_file("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  remembered_count.store(0, std::memory_order_relaxed);
  uint32_t count = 0;
  MapsLine line;
  char buffer[512];
  for (;;) {
    const long bytes = sys::read_file(static_cast<int>(fd), buffer, sizeof(buffer));
    if (bytes <= 0) break;
    for (long i = 0; i < bytes; ++i) {
      if (buffer[i] != '\n') {
        line.add(buffer[i]);
        continue;
      }
      line.remember(&count);
      line.clear();
    }
  }
  sys::close_file(static_cast<int>(fd));
  remembered_count.store(count, std::memory_order_release);  // pairs with was_readable
}

void forget_readable_memory(uintptr_t start, size_t bytes) {
  const uint32_t count = remembered_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    Range& range = remembered[i];
    const uintptr_t from = range.start.load(std::memory_order_relaxed), to = range.end.load(std::memory_order_relaxed);
    if (from >= start + bytes || to <= start) continue;
    // The upper part is given up, which may be more than what goes: a stack that lies there is truncated.
    range.end.store(start > from ? start : from, std::memory_order_relaxed);
  }
}

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

__attribute__((noinline, cold)) bool ReadablePages::is_readable(uintptr_t address) const {
  constexpr long kNoSuchHow = -1, kInvalidArgument = -22;
  if (!sys::may_call()) {
    // The page that holds the innermost frame's return address is in use right now.
    return (address ^ (low_ - sizeof(uint64_t))) >> kPageBits == 0 || was_readable(address);
  }
  return sys::call(SYS_rt_sigprocmask, kNoSuchHow, static_cast<long>(address), 0, sizeof(uint64_t)) == kInvalidArgument;
}

}  // namespace memprof
