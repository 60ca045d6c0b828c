// Which pages of stack may be read: keeps wrong CFI and clobbered stacks from crashing the host.
//
// With correct CFI every word that the walk reads is mapped, because the program's own return reads it too. But a fiber
// whose entry "returns" to some function, or assembly with wrong CFI, sends the walk past the end of a stack. So a page
// is asked for before its first read: rt_sigprocmask with an invalid `how` copies its argument from the address, then
// fails with EFAULT or EINVAL and changes nothing. Pages found readable are remembered; there is no system call while
// a thread stays on pages it has used before.
//
// A remembered page may have been unmapped since: note_unreadable (unwinder.h) makes all threads forget. Limit: what is
// unmapped by bare system calls, or by another thread while the walk strays there.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

inline constexpr unsigned kPageBits = 12;  // the smallest page: a larger one is merely asked for more than once

// Whether a page in the range was ever asked for, by any thread. May be true where none was.
bool may_hold_stack(uintptr_t start, size_t bytes);

class ReadablePages {
 public:
  // Whether the word at `address` can be read. Misaligned: no.
  bool contain_word(uintptr_t address) {
    if ((address & 7) != 0) return false;
    const uintptr_t page = address >> kPageBits;
    if (page == 0) return false;
    // Stacks lie at equal distances: their pages must not fall on one slot.
    uintptr_t& slot = known_[page * 0x9E3779B97F4A7C15 >> (64 - kSlotBits)];
    if (slot == page) return true;
    if (!is_readable(address)) return false;
    slot = page;
    return true;
  }
  // All words from `address` to the result can be read; 0: not known.
  uintptr_t end_above(uintptr_t address) const { return address - low_ < high_ - low_ ? high_ : 0; }
  // A frame from `sp` to `cfa` is on the stack: its pages join the range that end_above() speaks of.
  void note_frame(uintptr_t sp, uintptr_t cfa);

  void forget() {
    for (uintptr_t& slot : known_) slot = 0;
    low_ = high_ = 0;
  }

 private:
  static constexpr unsigned kSlotBits = 10;
  static bool is_readable(uintptr_t address);  // asks the kernel

  uintptr_t known_[1u << kSlotBits];  // page numbers; 0: empty
  uintptr_t low_, high_;              // a range of pages that have all been asked for: the part of the stack in use
};

}  // namespace memprof
