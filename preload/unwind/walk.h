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

// Whether a frame's slots may be read and its CFA be believed; called where they lie in a page not read before.
bool admit_frame(UnwindState& state, uintptr_t sp, uintptr_t cfa, uintptr_t saved, uintptr_t return_slot);

MEMPROF_READS_STACK __attribute__((always_inline)) inline Step step_plain(UnwindState& state, Walk& at, Rule rule) {
  const uintptr_t cfa = (rule.from_frame_pointer() ? at.bp : at.sp) + rule.cfa_offset();
  const uintptr_t saved = cfa - rule.saved_below_cfa();
  const uintptr_t slot = arch::return_slot(cfa, saved);
  const bool is_near =
      (((slot ^ at.readable) | (saved ^ at.readable)) >> kPageBits) == 0 && cfa > at.sp && cfa % 8 == 0;
  if (__builtin_expect(!is_near, 0) && !admit_frame(state, at.sp, cfa, saved, slot)) return Step::gave_up;
  const uintptr_t frame_pointer = word_at(saved);
  at.pc = arch::code_address(word_at(slot));
  at.sp = cfa;
  at.bp = rule.keeps_frame_pointer() ? at.bp : frame_pointer;
  at.bp_slot = rule.keeps_frame_pointer() ? nullptr : reinterpret_cast<const StackWord*>(saved);
  at.readable = slot;
  return at.pc != 0 ? Step::stepped : Step::whole;
}

// Makes the rule of a pc not met before, and follows rules that are not plain.
Step step_by_description(UnwindState& state, Walk& at);

__attribute__((always_inline)) inline Step step_outward(UnwindState& state, Walk& at) {
  const RuleTable::Entry entry = state.rules.look_up(at.pc);
  if (__builtin_expect(entry.is_hit(), 1)) {
    if (__builtin_expect(entry.rule().is_plain(), 1)) return step_plain(state, at, entry.rule());
    if (entry.rule().kind() == RuleKind::outermost) return Step::whole;
  }
  Walk copy = at;  // so that the address of the caller's is not taken and it stays in registers
  const Step step = step_by_description(state, copy);
  at = copy;
  return step;
}

// The whole walk by full CFI with all registers, nothing reused: for the rare stack that needs them. Fills state.fresh,
// innermost first, and returns the number of frames.
uint32_t walk_all_registers(UnwindState& state, const CapturePoint& point, uint32_t max_depth, StackEnd& end);

}  // namespace memprof
