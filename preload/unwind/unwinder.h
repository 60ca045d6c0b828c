// The call stack of the current thread, by a verified memo, packed rules and full CFI, in this order.
//
// Invariants:
//   * A result is never guessed: every frame was stepped by the CFI of its code, or is proved unchanged since it was
//     (frame.h says what is proved and why that is enough). Frame pointers are followed where the CFI says so, and in
//     code without CFI where its instructions prove it (frame_record.h); other code without CFI ends the stack, flagged
//     gave_up.
//   * No lock, allocation, errno or stdio. No system call but the first read of a page of stack (readable_pages.h).
//     Everything but verify_stack is async-signal-safe. About 300 bytes of stack on the fast path, 1.4 KiB at most.
//   * A state is used by one thread at a time and never re-entered: a signal handler that interrupts capture() needs a
//     state of its own. A capture left by longjmp leaves an empty memo: valid, merely forgotten.
//
// libunwind is the oracle of verify_stack alone; oracle.h says how it is loaded and kept from the loader's lock. Its
// .eh_frame interpreter could say nothing that register_step.h does not.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "unwind/cfi_program.h"
#include "unwind/frame.h"
#include "unwind/readable_pages.h"
#include "unwind/rule.h"

namespace memprof {

inline constexpr uint32_t kMaxDepth = 1024;
inline constexpr uint64_t kNoEpoch = ~uint64_t{0};

// How the outer end of a stack was reached.
enum class StackEnd : uint8_t {
  whole,        // where the ABI says a stack ends: undefined return address, or return address 0
  depth_limit,  // more than max_depth frames; the innermost are kept
  gave_up,      // code without CFI, or a stack that contradicts its CFI
};

// The hook's caller as the ABI defines it: pc is the return address into the code that called malloc (frame 0), sp the
// stack pointer right after that call returns, bp the frame-pointer register in that caller.
struct CapturePoint {
  uintptr_t pc, sp, bp;
};

// The last captured stack, outermost frame first. All-zero: no stack.
struct StackMemo {
  uint32_t depth;      // frames in use
  uint32_t unchanged;  // of these, how many of the outermost are those of the previous capture, at the same index.
                       // A caller that was interrupted between two captures may know less about them than this says.
  StackEnd end;
  Frame frames[kMaxDepth];

  // A return address, or where is_exact: the instruction that a signal interrupted.
  uintptr_t address(uint32_t index) const {
    return code_of(frames[index].pc) - (is_exact(index) ? arch::kIntoInstruction : 0);
  }
  bool is_exact(uint32_t index) const { return (frames[index].pc & kInterrupted) != 0; }
};

// Frames of a stack, outermost first.
struct StackView {
  const Frame* frames;
  uint32_t depth;
  StackEnd end;
};
inline StackView view_of(const StackMemo& memo) { return {memo.frames, memo.depth, memo.end}; }

// All-zero is valid. Large, but touched only as far as it is used: the rules' 64 KiB, and 64 bytes a frame.
// Must not be moved: links point into it.
struct UnwindState {
  uint64_t modules_seen;
  uint64_t epoch_seen;  // stack_epoch; kNoEpoch: nothing may be remembered
  StackMemo memo;
  ReadablePages pages;
  RuleTable rules;
  CfiScratch scratch;
  Frame fresh[kMaxDepth];  // innermost first, while capturing
  uint32_t oracle_depth;   // what verify_stack found: pc of fresh[0 .. oracle_depth), innermost first
};

// Once, from the library's constructor. With `verifies_stacks`, loads libunwind for verify_stack (calls malloc).
void unwinder_init(bool verifies_stacks = false);

// state.memo becomes the stack of `point`. max_depth: 1 .. kMaxDepth.
void capture(UnwindState& state, const CapturePoint& point, uint32_t max_depth);

// The memo does not describe this thread any more. The rules stay.
void forget_stack(UnwindState& state);

// Around everything that can unload a module (dlclose). Between the two calls nothing is remembered from one capture to
// the next, so that a module mapped at once where another was is not stepped by the old one's rules; after the second,
// everything learned before is forgotten by all threads. The second alone leaves that window open.
void note_modules_changing();
void note_modules_changed();
// In a forked child, where a dlclose of another thread never ends.
void forget_module_changes();

// Memory is unmapped or made unreadable: to be called before, so that no walk strays into it, and after, so that
// nothing that was learned of it in between is kept. Where stacks were, all threads forget the stacks and pages that
// they remember. A stack that ends as its CFI says is never left; this is for those that do not, such as fibers whose
// entry has no end. Any thread, async-signal-safe.
void note_unreadable(const void* start, size_t bytes);

// V8 is in the program, and [begin, end) is code of it that has no CFI. That and what it compiles keeps a frame record
// wherever it calls, as V8 itself walks its stacks by them. Once, before the first capture.
void note_v8(uintptr_t begin, uintptr_t end);

// Unwinds `point`, the innermost frame of the current stack, by libunwind, and tells whether it finds the frames of
// `stack` and, where that is whole, the same end: as far as there is CFI, without which libunwind guesses. False where
// libunwind could not be loaded. Takes libunwind's locks and calls the system.
bool verify_stack(UnwindState& state, const StackView& stack, const CapturePoint& point, uint32_t max_depth);
// The same of the memo, after capture().
inline bool verify_capture(UnwindState& state, const CapturePoint& point, uint32_t max_depth) {
  return verify_stack(state, view_of(state.memo), point, max_depth);
}

}  // namespace memprof
