// The commonest capture in line: the stack is the remembered one. Proves it as capture() would, by the same loads, and
// writes nothing.
#pragma once

#include <atomic>

#include "unwind/unwinder.h"

namespace memprof {

// How often modules changed: the low half counts changes that are complete, the high half those under way.
extern std::atomic<uint64_t> module_changes;

// Whether capture() of this point would leave state.memo as it is. False also where that takes more than loads to tell:
// stacks with frames that are not plain, and those that do not end where the CFI says so.
MEMPROF_READS_STACK __attribute__((always_inline)) inline bool is_same_stack(const UnwindState& state,
                                                                             const CapturePoint& point) {
  const StackMemo& memo = state.memo;
  // acquire: pairs with the releases of note_modules_*
  if (module_changes.load(std::memory_order_acquire) != state.modules_seen || memo.depth == 0) return false;
  const Frame* leaf = &memo.frames[memo.depth - 1];
  if (leaf->pc != point.pc || leaf->sp != point.sp || leaf->bp != point.bp || memo.end != StackEnd::whole) return false;
  const Frame* outermost = prove_outward(leaf, memo.frames);
  if (outermost != memo.frames) return false;
  const RuleTable::Entry entry = state.rules.look_up(outermost->pc);
  return entry.is_hit() && entry.rule().is_special(RuleKind::outermost);
}

}  // namespace memprof
