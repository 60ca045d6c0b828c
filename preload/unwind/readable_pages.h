// Which words may be read: keeps wrong CFI and clobbered stacks from crashing the host.
//
// With correct CFI every word that the walk reads is mapped, because the program's own return reads it too. But a fiber
// whose entry "returns" to some function, or assembly with wrong CFI, sends the walk past the end of a stack. So a word
// is trusted only where it lies between the stack pointer and the top of its own stack: the outermost point that a walk
// from the same page reached, which then found a proper end. Between the two is live stack. For any other word the
// kernel is asked, each time: rt_sigprocmask with an invalid `how` copies its argument from the address, then fails
// with EFAULT or EINVAL and changes nothing. So there is no system call for a stack that ends properly, but on its
// first walk from a page.
//
// A stack may be unmapped, and another one with a lower top and a wrong end lie there: note_unreadable (unwinder.h)
// makes all threads forget. Limit: what goes without a call that is hooked, or while the walk strays there. Limit: with
// more than kTops pages of stack in use in turns, pages are asked for again.
//
// When no system call may be made any more (platform/syscalls.h) the map of memory as it was before answers instead of
// the kernel. What the program maps later is not in it: a stack there is truncated.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

inline constexpr unsigned kPageBits = 12;  // the smallest page: a larger one is merely asked for more than once

// Whether a stack that is trusted may lie in the range, of any thread. May be true where none does.
bool may_hold_stack(uintptr_t start, size_t bytes);

// Before the gate to the kernel closes: reads the map of memory.
void remember_readable_memory();
// Part of it goes.
void forget_readable_memory(uintptr_t start, size_t bytes);

class ReadablePages {
 public:
  // A walk begins at the stack pointer `sp`.
  void begin_walk(uintptr_t sp) {
    const Top& top = tops_[place_of(sp)];
    low_ = sp;
    high_ = top.tag == tag_of(sp) && top.high > sp ? top.high : sp;
    asked_page_ = 0;
  }
  // A walk that began at `sp` found a proper end: [sp, high) is one live stack. Asks for all of its pages, up to a
  // limit.
  void note_top(uintptr_t sp, uintptr_t high);

  // All words from `address` to the result can be read; 0: not known.
  uintptr_t end_above(uintptr_t address) const { return address - low_ < high_ - low_ ? high_ : 0; }
  // Whether the word at `address` can be read. Misaligned: no.
  bool contain_word(uintptr_t address) {
    if ((address & 7) != 0) return false;
    if (end_above(address) != 0) return true;
    const uintptr_t page = address >> kPageBits;
    if (page == 0) return false;
    if (page == asked_page_) return true;
    if (!is_readable(address)) return false;
    asked_page_ = page;
    return true;
  }

  void forget() {
    ++round_;
    high_ = low_;
  }

 private:
  static constexpr unsigned kTopBits = 12;
  static constexpr unsigned kTops = 1u << kTopBits;
  struct Top {
    uint64_t tag;  // page and round; 0: none
    uintptr_t high;
  };

  bool is_readable(uintptr_t address) const;  // asks the kernel
  // Stacks lie at equal distances: their pages must not fall on one place.
  static uint64_t place_of(uintptr_t sp) { return (sp >> kPageBits) * 0x9E3779B97F4A7C15 >> (64 - kTopBits); }
  uint64_t tag_of(uintptr_t sp) const { return sp >> kPageBits | round_ << (64 - kPageBits); }

  Top tops_[kTops];
  uint64_t round_;
  uint64_t last_round_;
  uintptr_t last_low_, last_high_;  // the last stack that a top was noted for, as far as its pages were asked for
  uintptr_t low_, high_;            // of this walk
  uintptr_t asked_page_;            // in this walk
};

}  // namespace memprof
