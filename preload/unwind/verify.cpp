// MEMPROF_VERIFY_STACKS: a capture against libunwind, frame by frame.
#include "unwind/oracle.h"
#include "unwind/unwinder.h"

namespace memprof {

void unwinder_init(bool verifies_stacks) {
  if (verifies_stacks) load_oracle();
}

bool verify_stack(UnwindState& state, const StackView& stack, const CapturePoint& point, uint32_t max_depth) {
  const OracleResult oracle = ask_oracle(state, point, max_depth);
  state.oracle_depth = oracle.depth;
  if (!oracle.usable) return false;
  // Where we stop for want of CFI, libunwind tries its luck: only the frames before that are comparable.
  const bool same_depth = stack.end == StackEnd::gave_up ? oracle.depth >= stack.depth : oracle.depth == stack.depth;
  if (!same_depth || (stack.end == StackEnd::whole && !oracle.ended && oracle.depth < max_depth)) return false;
  for (uint32_t i = 0; i < stack.depth; ++i) {
    if (state.fresh[i].pc != stack.frames[stack.depth - 1 - i].pc) return false;
  }
  return true;
}

}  // namespace memprof
