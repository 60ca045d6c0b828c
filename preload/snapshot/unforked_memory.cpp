#include "snapshot/unforked_memory.h"

#include <sys/mman.h>

#include <atomic>

#include "platform/syscalls.h"
#include "platform/text.h"
#include "snapshot/memory_map.h"
#include "snapshot/own_memory.h"
#include "snapshot/proc_text.h"
#include "snapshot/read_by_kernel.h"
#include "snapshot/resident_ranges.h"

namespace memprof {

namespace {

constexpr size_t kMostBytes = size_t{256} << 20;  // in memory: the threads wait meanwhile
constinit std::atomic<bool> has_any{false};

struct Flags {
  bool is_unforked = false, is_device = false;
};

// "VmFlags: rd wr mr mw me dc "
Flags flags_in(const char* at, const char* end) {
  Flags flags;
  for (; end - at >= 3; at += 3) {
    flags.is_unforked = flags.is_unforked || starts_with(at, end, "dc") || starts_with(at, end, "wf");
    flags.is_device = flags.is_device || starts_with(at, end, "io") || starts_with(at, end, "pf");
  }
  return flags;
}

}  // namespace

void note_unforked_memory() { has_any.store(true, std::memory_order_relaxed); }

bool UnforkedMemory::keep_mapping(uintptr_t start, uintptr_t end, bool is_shared) {
  ResidentRanges resident;
  const auto kind = is_shared ? format::SnapshotRangeKind::shared : format::SnapshotRangeKind::anonymous;
  bool good = true;
  const bool is_known =
      resident.good() && resident.visit({start, end, kind, 0, 0, 0}, [&](uintptr_t from, uintptr_t to) {
        if (!good) return;
        bytes_ += to - from;
        void* const copy = bytes_ <= kMostBytes ? sys::map_anonymous(to - from) : nullptr;
        good = copy != nullptr && parts_.add({from, to - from, copy});
        // What cannot be read stays zero: the child could not read it either.
        for (uintptr_t at = from; good && at < to;) {
          const long got = read_by_kernel(at, static_cast<char*>(copy) + (at - from), to - at);
          if (got <= 0) break;
          at += static_cast<size_t>(got);
        }
      });
  return good && is_known;
}

bool UnforkedMemory::keep() {
  if (!has_any.load(std::memory_order_relaxed)) return true;
  uint64_t start = 0, end = 0;
  bool is_data = false, is_shared = false;
  return visit_lines("/proc/thread-self/smaps", [&](const char* at, const char* line_end) {
    constexpr const char* kFlags = "VmFlags: ";
    if (starts_with(at, line_end, kFlags)) {
      const Flags flags = flags_in(at + text_length(kFlags), line_end);
      if (!is_data || !flags.is_unforked || flags.is_device) return true;
      bool good = true;
      visit_foreign_memory(start, end,
                           [&](uintptr_t from, uintptr_t to) { good = good && keep_mapping(from, to, is_shared); });
      return good;
    }
    uint64_t from, to;
    if (line_end - at < 5 || !take_hex(&at, line_end, &from) || at[-1] != '-' || !take_hex(&at, line_end, &to) ||
        line_end - at < 4)
      return true;
    start = from;
    end = to;
    is_data = at[0] == 'r' && at[1] == 'w';
    is_shared = at[3] == 's';
    return true;
  });
}

bool UnforkedMemory::put_back() const {
  for (const Part& part : parts_) {
    const long moved =
        sys::call(SYS_mremap, sys::arg(part.copy), static_cast<long>(part.bytes), static_cast<long>(part.bytes),
                  MREMAP_MAYMOVE | MREMAP_FIXED, static_cast<long>(part.start));
    if (moved != static_cast<long>(part.start)) return false;
  }
  return true;
}

void UnforkedMemory::give_back() {
  for (const Part& part : parts_) sys::unmap_anonymous(part.copy, part.bytes);
}

bool is_fork_watched() {
  bool is_watched = false;
  visit_numbers("/proc/thread-self/fd", [&](uint32_t descriptor) {
    Text<64> link, information;
    link.add("/proc/thread-self/fd/").add_number(descriptor);
    char target[64] = {};
    if (sys::read_link(link.c_str(), target, sizeof(target) - 1) <= 0 ||
        !text_equals(target, "anon_inode:[userfaultfd]"))
      return true;
    information.add("/proc/thread-self/fdinfo/").add_number(descriptor);
    // "API:	aa:FEATURES:IOCTLS". What it does not say may be so.
    constexpr uint64_t kTellsOfForks = 1u << 1;
    uint64_t version, features = kTellsOfForks;
    visit_lines(information.c_str(), [&](const char* at, const char* end) {
      constexpr const char* kVersion = "API:\t";
      if (!starts_with(at, end, kVersion)) return true;
      at += text_length(kVersion);
      return !take_hex(&at, end, &version) || !take_hex(&at, end, &features);
    });
    is_watched = (features & kTellsOfForks) != 0;
    return !is_watched;
  });
  return is_watched;
}

}  // namespace memprof
