// One remembered frame, and the links between frames: which words of memory the step from a frame to the next depends
// on.
//
// Stepping out of a plain frame is a function of its state (pc, stack pointer, frame pointer: they give the rule, the
// CFA and the two slots) and of the words in the two slots: the return address and the saved frame pointer. So if a
// frame's state is the same as before, and both slots still hold what the outer frame remembers, the outer frame's
// state is the same as before. Registers other than these three decide nothing about plain frames.
//
// Nor does the frame pointer where it is dead: where every step outward from the frame ignores it, up to one that loads
// another from its slot. Code without frame pointers keeps data in that register, and its value is never compared.
#pragma once

#include <stdint.h>

#include "unwind/arch.h"
#include "unwind/word.h"

namespace memprof {

// bp_slot of a frame whose inner neighbour is not plain (or that has none): the link cannot be proved by two loads, and
// must be stepped anew. It points at a word that differs from the frame's bp, so that the proof stops there by itself,
// before it reads the stack.
extern const StackWord broken_links[2];

// Set in the pc of a frame that a signal interrupted: no address of code has this bit.
inline constexpr uintptr_t kInterrupted = uintptr_t{1} << 63;
inline uintptr_t code_of(uintptr_t pc) { return pc & ~kInterrupted; }

enum class BpUse : uint8_t {
  reloads,  // the caller's value comes from a slot, or there is no caller
  keeps,    // the caller has the same value
  reads,    // the CFA is counted from it, or the step is not plain
};

struct Frame {
  uintptr_t pc;  // the return address; of an interrupted frame the pc + arch::kIntoInstruction, with kInterrupted
  uintptr_t sp;  // stack pointer after the call returns: the CFA of the frame inside
  uintptr_t bp;  // the frame-pointer register in this frame, which may use it for anything
  // Where the inner neighbour saved bp. The address of this bp itself if it did not: then the test is always true, and
  // rightly, because the inner frame's bp is the same and is proved. Or one of broken_links.
  const StackWord* bp_slot;
  BpUse bp_use;     // by the step out of this frame
  bool is_bp_live;  // whether the frames outside it depend on bp. If not, bp may be old, and bp_slot leads to it.
};

inline const StackWord* broken_link(uintptr_t bp) { return broken_links + (bp == 0 ? 1 : 0); }

// A frame on the way outward, and how it was reached: bp_slot as above, but nullptr for "bp was not saved".
struct Walk {
  uintptr_t pc, sp, bp;
  const StackWord* bp_slot;

  bool is_at(const Frame& frame) const {
    return pc == frame.pc && sp == frame.sp && (bp == frame.bp || !frame.is_bp_live);
  }
};

// Where a dead frame pointer is saved matters only if the return address is found by it (arch::return_slot).
inline bool is_bp_live(BpUse use, bool is_live_outside) {
  return !arch::kFramePointerMayStay || use == BpUse::reads || (use == BpUse::keeps && is_live_outside);
}

// Gives a frame that lies at its place its link, in the form that depends on the place.
inline void set_link(Frame& frame, uintptr_t bp, const StackWord* bp_slot) {
  const bool is_broken = bp_slot == broken_links || bp_slot == broken_links + 1;
  frame.bp = bp;
  frame.bp_slot = bp_slot != nullptr && (frame.is_bp_live || is_broken) ? bp_slot : &frame.bp;
}
// The link of a frame in the form that does not.
inline const StackWord* free_link(const Frame& frame) { return frame.bp_slot == &frame.bp ? nullptr : frame.bp_slot; }

inline void move_frame(Frame& to, const Frame& from) {
  const StackWord* link = free_link(from);
  to = from;
  if (link == nullptr) to.bp_slot = &to.bp;
}

// Follows links outward from the frame `from`, which is proved, and returns the outermost frame proved; `first` is the
// outermost there is. Each link is proved before the next one is read, so nothing is read that an unwinder would not
// read at this moment.
template <typename AnyFrame>
MEMPROF_READS_STACK __attribute__((always_inline)) inline AnyFrame* prove_outward(AnyFrame* from, const Frame* first) {
  for (; from != first; --from) {
    const Frame& outer = from[-1];
    if (*outer.bp_slot != outer.bp) break;
    const uintptr_t slot = arch::return_slot(outer.sp, reinterpret_cast<uintptr_t>(outer.bp_slot));
    if (arch::code_address(word_at(slot)) != outer.pc) break;
  }
  return from;
}

}  // namespace memprof
