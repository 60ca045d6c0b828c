// One step outward, for the fast walk: by a plain rule in line, by everything else out of line.
#pragma once

#include "unwind/unwinder.h"

namespace memprof {

enum class Step : uint8_t {
  stepped,
  whole,
  gave_up,
  unknown_register,  // the CFI needs a register that the fast walk does not follow: walk_all_registers must be used
};

// Whether a frame's slots may be read and its CFA be believed; called where they lie outside the range of stack that is
// known to be readable.
bool admit_frame(UnwindState& state, uintptr_t sp, uintptr_t cfa, uintptr_t saved, uintptr_t return_slot);

// A step by a plain rule, before it is taken.
struct PlainStep {
  uintptr_t cfa, saved, return_slot;
  bool keeps_frame_pointer;

  PlainStep(const Walk& at, Rule rule)
      : cfa((rule.from_frame_pointer() ? at.bp : at.sp) + rule.cfa_offset()),
        saved(cfa - rule.saved_below_cfa()),
        return_slot(arch::return_slot(cfa, saved)),
        keeps_frame_pointer(rule.keeps_frame_pointer()) {}

  // Its slots lie between the frame inside and `end`, so it is outside that frame, and they can be read.
  bool is_below(uintptr_t end, const Walk& at) const {
    return saved >= at.sp && cfa > at.sp && cfa <= end && (cfa & 7) == 0;
  }

  // at.pc is 0 where the stack ends.
  MEMPROF_READS_STACK __attribute__((always_inline)) void take(Walk& at) const {
    at.pc = arch::code_address(word_at(return_slot));
    at.sp = cfa;
    at.bp_slot = keeps_frame_pointer ? nullptr : reinterpret_cast<const StackWord*>(saved);
    if (!keeps_frame_pointer) at.bp = word_at(saved);
  }
};

inline Step step_plain(UnwindState& state, Walk& at, Rule rule) {
  const PlainStep step(at, rule);
  if (!step.is_below(state.pages.end_above(at.sp), at) &&
      !admit_frame(state, at.sp, step.cfa, step.saved, step.return_slot))
    return Step::gave_up;
  step.take(at);
  return at.pc != 0 ? Step::stepped : Step::whole;
}

// Makes the rule of a pc not met before, and follows rules that are not plain.
Step step_by_description(UnwindState& state, Walk& at);

inline Step step_outward(UnwindState& state, Walk& at) {
  const RuleTable::Entry entry = state.rules.look_up(code_of(at.pc));
  if (entry.is_hit() && entry.rule().is_special(RuleKind::outermost)) return Step::whole;
  return step_by_description(state, at);
}

// The whole walk by full CFI with all registers, nothing reused: for the rare stack that needs them. Fills state.fresh,
// innermost first, and returns the number of frames.
uint32_t walk_all_registers(UnwindState& state, const CapturePoint& point, uint32_t max_depth, StackEnd& end);

}  // namespace memprof
