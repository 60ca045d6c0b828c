// The commonest capture in line: the stack is one that is remembered. Proves it as capture() would, by the same loads.
#pragma once

#include <atomic>

#include "unwind/unwinder.h"

namespace memprof {

// Counts what makes a proof worthless: a module that goes, stack memory that goes. A proof holds for frames that were
// captured in the same epoch.
extern std::atomic<uint64_t> stack_epoch;

// Whether the stack of `point` is frames[0 .. depth), outermost first, which ended by rule.
MEMPROF_READS_STACK __attribute__((always_inline)) inline bool is_same_stack(const Frame* frames, uint32_t depth,
                                                                             const CapturePoint& point) {
  const Frame* leaf = &frames[depth - 1];
  if (leaf->pc != point.pc || leaf->sp != point.sp || (leaf->bp != point.bp && leaf->is_bp_live)) return false;
  return prove_outward(leaf, frames) == frames;
}

// Whether the memo's stack ends where the CFI of its outermost frame says that there is no caller. Then that frame's pc
// alone decides the end.
inline bool ends_by_rule(const UnwindState& state) {
  const StackMemo& memo = state.memo;
  if (memo.depth == 0 || memo.end != StackEnd::whole) return false;
  const RuleTable::Entry entry = state.rules.look_up(memo.frames[0].pc);
  return entry.is_hit() && entry.rule().is_special(RuleKind::outermost);
}

}  // namespace memprof
