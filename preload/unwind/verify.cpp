// MEMPROF_VERIFY_STACKS: a capture against libunwind, frame by frame.
#include "unwind/eh_frame.h"
#include "unwind/oracle.h"
#include "unwind/unwinder.h"

namespace memprof {

void unwinder_init(bool verifies_stacks) {
  if (verifies_stacks) load_oracle();
}

namespace {

// How many of the frames, from the innermost on, libunwind can know. Where code has no CFI it tries its luck: by a
// frame pointer that may be anything, and not by one that looks odd to it.
uint32_t comparable_frames(const StackView& stack) {
  FrameDescription description;
  for (uint32_t i = 0; i < stack.depth; ++i) {
    const uintptr_t pc = code_of(stack.frames[stack.depth - 1 - i].pc);
    if (find_description(pc - 1, description) != Found::yes) return i + 1;
  }
  return stack.depth;
}

}  // namespace

bool verify_stack(UnwindState& state, const StackView& stack, const CapturePoint& point, uint32_t max_depth) {
  const OracleResult oracle = ask_oracle(state, point, max_depth);
  state.oracle_depth = oracle.depth;
  if (!oracle.usable) return false;
  const uint32_t comparable = comparable_frames(stack);
  const bool to_the_end = comparable == stack.depth && stack.end != StackEnd::gave_up;
  if (to_the_end ? oracle.depth != stack.depth : oracle.depth < comparable) return false;
  if (to_the_end && stack.end == StackEnd::whole && !oracle.ended && oracle.depth < max_depth) return false;
  for (uint32_t i = 0; i < comparable; ++i) {
    if (state.fresh[i].pc != stack.frames[stack.depth - 1 - i].pc) return false;
  }
  return true;
}

}  // namespace memprof
