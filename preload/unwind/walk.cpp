#include "unwind/walk.h"

#include <sys/auxv.h>

#include "unwind/frame_row.h"
#include "unwind/register_step.h"
#include "unwind/way_out.h"

namespace memprof {

constinit const StackWord broken_links[2] = {0, 1};

namespace {

// Stacks grow downward, so an outer frame lies above an inner one, unless the code switched stacks in mid-frame. Below
// but near means wrong CFI, which might go round in circles.
constexpr uintptr_t kSameStackBytes = 64 * 1024;
bool can_be_outside(uintptr_t sp, uintptr_t cfa) { return cfa % 8 == 0 && (cfa > sp || sp - cfa >= kSameStackBytes); }

Step step_realigned(UnwindState& state, Walk& at, Rule rule) {
  const uintptr_t cfa_slot = at.bp - rule.cfa_offset(), saved = at.bp - rule.saved_below_cfa();
  if (!state.pages.contain_word(cfa_slot) || !state.pages.contain_word(saved)) return Step::gave_up;
  const uintptr_t cfa = word_at(cfa_slot), slot = arch::return_slot(cfa, saved);
  if (!admit_frame(state, at.sp, cfa, saved, slot)) return Step::gave_up;
  at.pc = arch::code_address(word_at(slot));
  at.sp = cfa;
  at.bp = word_at(saved);
  at.bp_slot = broken_link(at.bp);
  return at.pc != 0 ? Step::stepped : Step::whole;
}

Step step_complex(UnwindState& state, Walk& at) {
  Registers registers;
  registers.known = 0;
  registers.set(arch::kStackPointer, at.sp);
  registers.set(arch::kFramePointer, at.bp);
  bool interrupted = (at.pc & kInterrupted) != 0;
  uintptr_t pc = code_of(at.pc);
  switch (step_registers(registers, pc, interrupted, state.scratch, state.pages)) {
    case RegisterStep::stepped: break;
    case RegisterStep::outermost: return Step::whole;
    case RegisterStep::unknown_register: return Step::unknown_register;
    case RegisterStep::failed: return Step::gave_up;
  }
  const uintptr_t inner_sp = at.sp;
  at.sp = registers.value[arch::kStackPointer];
  if (!interrupted && !can_be_outside(inner_sp, at.sp)) return Step::gave_up;
  at.bp = registers.knows(arch::kFramePointer) ? registers.value[arch::kFramePointer] : 0;
  at.bp_slot = broken_link(at.bp);
  at.pc = pc | (interrupted ? kInterrupted : 0);
  return pc != 0 ? Step::stepped : Step::whole;
}

// A fiber's stack ends where its maker planted the address of a function as the return address of the entry:
// makecontext does, and its CFI does not say so. The proof: `pc` is the first byte of a function, no CFI covers what
// lies before it, and no call instruction ends there. So nothing called from there.
bool is_planted_end(UnwindState& state, uintptr_t pc) {
  FrameDescription description;
  if (find_description(pc, description) != Found::yes) return false;
  if (description.code_begin != pc || description.is_signal_frame) return false;
  const uintptr_t first = pc - arch::kLongestCall;
  return state.pages.contain_word(first & ~uintptr_t{7}) && state.pages.contain_word((pc - 1) & ~uintptr_t{7}) &&
         !arch::may_follow_call(reinterpret_cast<const uint8_t*>(pc));
}

// The loader's own start calls the constructors of a process: _dl_start_user, the one piece of the loader that lies on
// stacks and has no CFI. Outside it is the kernel.
bool is_loader_start(uintptr_t pc) {
  const unsigned long loader = getauxval(AT_BASE);
  return loader != 0 && is_same_module(loader, pc);
}

// note_v8().
constinit uintptr_t v8_begin = 0, v8_end = 0;
constexpr Rule kFrameRecord = Rule::plain(true, 2, 2);

// Out of code that no module has. Nothing of it is remembered, neither the rule nor that the frames go together: what
// compiled the code may write other code there.
Step step_out_of_generated_code(UnwindState& state, Walk& at) {
  if ((at.pc & kInterrupted) != 0) return Step::gave_up;
  const uintptr_t pc = code_of(at.pc), last = pc + kMostWayOutBytes - 1;
  const uintptr_t page_mask = (uintptr_t{1} << kPageBits) - 1;
  if (!state.pages.contain_word(pc & ~uintptr_t{7})) return Step::gave_up;
  const bool has_second = (pc & ~page_mask) == (last & ~page_mask) || state.pages.contain_word(last & ~uintptr_t{7});
  const auto* const begin = reinterpret_cast<const uint8_t*>(pc);
  const auto* const end = reinterpret_cast<const uint8_t*>(has_second ? last + 1 : (pc | page_mask) + 1);
  Rule rule = find_way_out({begin, end});
  if (!rule.is_plain() && v8_end != 0) rule = kFrameRecord;
  if (!rule.is_plain()) return Step::gave_up;
  const Step step = step_plain(state, at, rule);
  at.bp_slot = broken_link(at.bp);
  return step;
}

// What is known of `pc`. Code outside all modules is not remembered: a module may be mapped there later.
Rule rule_of(UnwindState& state, uintptr_t pc, bool& is_generated) {
  FrameDescription description;
  const Found found = find_row(pc, description, state.scratch);
  is_generated = found == Found::no_module;
  if (is_generated) return Rule::special(RuleKind::no_data);
  Rule rule = Rule::special(RuleKind::no_data);
  if (found == Found::no_description && (is_loader_start(pc) || is_planted_end(state, pc))) {
    rule = Rule::special(RuleKind::outermost);
  } else if (found == Found::no_description && pc - v8_begin < v8_end - v8_begin) {
    rule = kFrameRecord;
  } else if (found == Found::yes) {
    rule = rule_from_row(state.scratch.row, description);
  }
  state.rules.insert(pc, rule);
  return rule;
}

}  // namespace

void note_v8(uintptr_t begin, uintptr_t end) {
  v8_begin = begin;
  v8_end = end;
}

__attribute__((noinline)) bool admit_frame(UnwindState& state, uintptr_t sp, uintptr_t cfa, uintptr_t saved,
                                           uintptr_t return_slot) {
  return can_be_outside(sp, cfa) && state.pages.contain_word(return_slot) && state.pages.contain_word(saved);
}

__attribute__((noinline)) MEMPROF_READS_STACK Step step_by_description(UnwindState& state, Walk& at) {
  const RuleTable::Entry entry = state.rules.look_up(code_of(at.pc));
  bool is_generated = false;
  const Rule rule = entry.is_hit() ? entry.rule() : rule_of(state, code_of(at.pc), is_generated);
  if (is_generated) return step_out_of_generated_code(state, at);
  if (rule.is_plain()) return step_plain(state, at, rule);
  switch (rule.kind()) {
    case RuleKind::outermost: return Step::whole;
    case RuleKind::no_data: return Step::gave_up;
    case RuleKind::realigned: return step_realigned(state, at, rule);
    case RuleKind::complex: break;
  }
  return step_complex(state, at);
}

__attribute__((noinline, cold)) uint32_t walk_all_registers(UnwindState& state, const CapturePoint& point,
                                                            uint32_t max_depth, StackEnd& end) {
  Registers registers;
  registers.known = 0;
  registers.set(arch::kStackPointer, point.sp);
  registers.set(arch::kFramePointer, point.bp);
  uintptr_t pc = point.pc;
  bool interrupted = false;
  for (uint32_t count = 0;;) {
    const uintptr_t bp = registers.knows(arch::kFramePointer) ? registers.value[arch::kFramePointer] : 0;
    if (count == max_depth) {
      end = StackEnd::depth_limit;
      return count;
    }
    state.fresh[count++] = {pc | (interrupted ? kInterrupted : 0),
                            registers.value[arch::kStackPointer],
                            bp,
                            broken_link(bp),
                            BpUse::reads,
                            true};
    const uintptr_t inner_sp = registers.value[arch::kStackPointer];
    RegisterStep step = step_registers(registers, pc, interrupted, state.scratch, state.pages);
    if (step == RegisterStep::stepped && !interrupted &&
        !can_be_outside(inner_sp, registers.value[arch::kStackPointer])) {
      step = RegisterStep::failed;
    }
    const bool is_whole = step == RegisterStep::outermost || (step == RegisterStep::stepped && pc == 0);
    if (is_whole || step != RegisterStep::stepped) {
      end = is_whole ? StackEnd::whole : StackEnd::gave_up;
      return count;
    }
  }
}

}  // namespace memprof
