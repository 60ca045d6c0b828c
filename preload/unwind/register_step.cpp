#include "unwind/register_step.h"

#include "unwind/dwarf_expression.h"
#include "unwind/frame_row.h"
#include "unwind/word.h"

namespace memprof {
namespace {

RegisterStep outcome_of(Evaluation evaluation) {
  return evaluation == Evaluation::unknown_register ? RegisterStep::unknown_register : RegisterStep::failed;
}

class Step {
 public:
  Step(const Registers& inner, const CfiRow& row, ReadablePages& pages) : inner_(inner), row_(row), pages_(pages) {}

  RegisterStep find_cfa() {
    const CfaRule& rule = row_.cfa;
    if (rule.is_expression) return from_block(rule.value, {false, 0}, cfa_);
    if (rule.base >= arch::kColumns) return RegisterStep::failed;
    if (!inner_.knows(rule.base)) return RegisterStep::unknown_register;
    cfa_ = inner_.value[rule.base] + static_cast<uintptr_t>(rule.value);
    return RegisterStep::stepped;
  }
  uintptr_t cfa() const { return cfa_; }

  // The caller's value of a register. unknown_register: it cannot be known.
  MEMPROF_READS_STACK RegisterStep find(unsigned column, uintptr_t& word) {
    const int64_t value = row_.value[column];
    switch (row_.where[column]) {
      case Where::unsaved: return copy(column, word);
      case Where::undefined: return RegisterStep::unknown_register;
      case Where::is_offset: word = cfa_ + static_cast<uintptr_t>(value); return RegisterStep::stepped;
      case Where::at_offset: return load(cfa_ + static_cast<uintptr_t>(value), word);
      case Where::in_register: return copy(static_cast<uint64_t>(value), word);
      case Where::is_expression: return from_block(value, {true, cfa_}, word);
      case Where::at_expression: {
        uintptr_t address = 0;
        const RegisterStep found = from_block(value, {true, cfa_}, address);
        return found == RegisterStep::stepped ? load(address, word) : found;
      }
    }
    return RegisterStep::failed;
  }

 private:
  RegisterStep copy(uint64_t column, uintptr_t& word) const {
    if (!inner_.knows(column)) return RegisterStep::unknown_register;
    word = inner_.value[column];
    return RegisterStep::stepped;
  }
  MEMPROF_READS_STACK RegisterStep load(uintptr_t address, uintptr_t& word) {
    if (!pages_.contain_word(address)) return RegisterStep::failed;
    word = word_at(address);
    return RegisterStep::stepped;
  }
  RegisterStep from_block(int64_t block, ExpressionStart start, uintptr_t& word) {
    const Evaluation evaluation = evaluate(reinterpret_cast<const uint8_t*>(block), inner_, start, pages_, word);
    return evaluation == Evaluation::done ? RegisterStep::stepped : outcome_of(evaluation);
  }

  const Registers& inner_;
  const CfiRow& row_;
  ReadablePages& pages_;
  uintptr_t cfa_ = 0;
};

}  // namespace

RegisterStep step_registers(Registers& registers, uintptr_t& pc, bool& interrupted, CfiScratch& scratch,
                            ReadablePages& pages) {
  FrameDescription description;
  if (find_row(pc, description, scratch) != Found::yes) return RegisterStep::failed;
  const CfiRow& row = scratch.row;
  if (row.where[description.return_column] == Where::undefined) return RegisterStep::outermost;
  registers.set(arch::kProgramCounter, interrupted ? pc - arch::kIntoInstruction : pc);

  Step step(registers, row, pages);
  RegisterStep found = step.find_cfa();
  if (found != RegisterStep::stepped) return found;
  uintptr_t return_address = 0;
  found = step.find(description.return_column, return_address);
  if (found != RegisterStep::stepped) return found;

  Registers outer;
  outer.known = 0;
  for (unsigned column = 0; column < arch::kColumns; ++column) {
    uintptr_t word = 0;
    // A call may change what its ABI lets it change; an interrupt changes nothing.
    const bool stays = description.is_signal_frame || (arch::kCalleeSaved >> column & 1) != 0;
    if (row.where[column] == Where::unsaved && !stays) continue;
    found = step.find(column, word);
    if (found == RegisterStep::failed) return found;
    if (found == RegisterStep::stepped) outer.set(column, word);
  }
  if (row.where[arch::kStackPointer] == Where::unsaved) outer.set(arch::kStackPointer, step.cfa());
  if (!outer.knows(arch::kStackPointer)) return RegisterStep::unknown_register;

  const uintptr_t code = arch::code_address(return_address);
  interrupted = description.is_signal_frame;
  registers = outer;
  pc = code == 0 ? 0 : code + (interrupted ? arch::kIntoInstruction : 0);
  return RegisterStep::stepped;
}

}  // namespace memprof
