#include "unwind/cfi_program.h"

#include "unwind/byte_reader.h"

namespace memprof {
namespace {

// DW_CFA_*: the upper two bits, or all eight.
enum Op : uint8_t {
  kAdvance = 0x40,
  kOffset = 0x80,
  kRestore = 0xc0,
  kNop = 0x00,
  kSetLocation = 0x01,
  kAdvance1 = 0x02,
  kAdvance2 = 0x03,
  kAdvance4 = 0x04,
  kOffsetExtended = 0x05,
  kRestoreExtended = 0x06,
  kUndefined = 0x07,
  kSameValue = 0x08,
  kRegister = 0x09,
  kRememberState = 0x0a,
  kRestoreState = 0x0b,
  kDefineCfa = 0x0c,
  kDefineCfaRegister = 0x0d,
  kDefineCfaOffset = 0x0e,
  kDefineCfaExpression = 0x0f,
  kExpression = 0x10,
  kOffsetExtendedSigned = 0x11,
  kDefineCfaSigned = 0x12,
  kDefineCfaOffsetSigned = 0x13,
  kValueOffset = 0x14,
  kValueOffsetSigned = 0x15,
  kValueExpression = 0x16,
  kNegateReturnState = 0x2d,
  kArgumentsSize = 0x2e,
  kNegativeOffsetExtended = 0x2f,
};

class Program {
 public:
  Program(const FrameDescription& description, uintptr_t code, CfiScratch& scratch)
      : description_(description), scratch_(scratch), row_(scratch.row), code_(code) {}

  bool run() {
    for (unsigned column = 0; column < arch::kColumns; ++column) set(column, Where::unsaved, 0);
    row_.cfa = {false, arch::kColumns, 0};
    scratch_.initial = row_;
    in_cie_ = true;
    if (!execute(description_.cie_instructions)) return false;
    scratch_.initial = row_;
    in_cie_ = false;
    return execute(description_.fde_instructions);
  }

 private:
  // A row covers the code from its location to the next: stop once the next begins after the wanted address.
  bool execute(const ByteRange& instructions) {
    ByteReader in(instructions.begin, instructions.end);
    uintptr_t location = description_.code_begin;
    while (!in.at_end()) {
      const uint8_t op = in.byte();
      uintptr_t next = location;
      if (!step(op, in, next) || !in.ok()) return false;
      if (next != location && !in_cie_) {
        if (next > code_) return true;
        location = next;
      }
    }
    return in.ok();
  }

  bool step(uint8_t op, ByteReader& in, uintptr_t& location) {
    switch (op & 0xc0) {
      case kAdvance: location += (op & 0x3f) * description_.code_align; return true;
      case kOffset: set(op & 0x3f, Where::at_offset, scaled(in.uleb())); return true;
      case kRestore: restore(op & 0x3f); return true;
      default: break;
    }
    switch (op) {
      case kNop:
      case kNegateReturnState: return true;
      case kArgumentsSize: in.uleb(); return true;
      case kSetLocation: location = in.encoded_pointer(description_.pointer_encoding, 0); return true;
      case kAdvance1: location += in.fixed<uint8_t>() * description_.code_align; return true;
      case kAdvance2: location += in.fixed<uint16_t>() * description_.code_align; return true;
      case kAdvance4: location += in.fixed<uint32_t>() * description_.code_align; return true;
      case kRememberState: return remember();
      case kRestoreState: return recall();
      default: break;
    }
    return define_cfa(op, in) || define_register(op, in);
  }

  bool define_cfa(uint8_t op, ByteReader& in) {
    CfaRule& cfa = row_.cfa;
    switch (op) {
      case kDefineCfa: cfa = {false, register_of(in), static_cast<int64_t>(in.uleb())}; return true;
      case kDefineCfaSigned: cfa = {false, register_of(in), scaled(static_cast<uint64_t>(in.sleb()))}; return true;
      case kDefineCfaRegister: cfa.base = register_of(in); return !cfa.is_expression;
      case kDefineCfaOffset: cfa.value = static_cast<int64_t>(in.uleb()); return !cfa.is_expression;
      case kDefineCfaOffsetSigned: cfa.value = scaled(static_cast<uint64_t>(in.sleb())); return !cfa.is_expression;
      case kDefineCfaExpression: cfa = {true, arch::kColumns, block(in)}; return true;
      default: return false;
    }
  }

  bool define_register(uint8_t op, ByteReader& in) {
    const uint32_t column = register_of(in);  // first operand of all of them
    switch (op) {
      case kOffsetExtended: set(column, Where::at_offset, scaled(in.uleb())); return true;
      case kOffsetExtendedSigned: set(column, Where::at_offset, scaled(static_cast<uint64_t>(in.sleb()))); return true;
      case kNegativeOffsetExtended: set(column, Where::at_offset, -scaled(in.uleb())); return true;
      case kValueOffset: set(column, Where::is_offset, scaled(in.uleb())); return true;
      case kValueOffsetSigned: set(column, Where::is_offset, scaled(static_cast<uint64_t>(in.sleb()))); return true;
      case kRestoreExtended: restore(column); return true;
      case kUndefined: set(column, Where::undefined, 0); return true;
      case kSameValue: set(column, Where::unsaved, 0); return true;
      case kRegister: set(column, Where::in_register, static_cast<int64_t>(in.uleb())); return true;
      case kExpression: set(column, Where::at_expression, block(in)); return true;
      case kValueExpression: set(column, Where::is_expression, block(in)); return true;
      default: return false;
    }
  }

  bool remember() {
    if (remembered_ == CfiScratch::kRemembered) return false;
    scratch_.remembered[remembered_++] = row_;
    return true;
  }
  bool recall() {
    if (remembered_ == 0) return false;
    row_ = scratch_.remembered[--remembered_];
    return true;
  }

  // Unsigned, so that hostile operands wrap instead of overflowing.
  int64_t scaled(uint64_t factor) const {
    return static_cast<int64_t>(factor * static_cast<uint64_t>(description_.data_align));
  }
  static uint32_t register_of(ByteReader& in) {
    const uint64_t column = in.uleb();
    return column < arch::kColumns ? static_cast<uint32_t>(column) : arch::kColumns;
  }
  static int64_t block(ByteReader& in) {
    const auto address = reinterpret_cast<int64_t>(in.at());
    in.skip(in.uleb());
    return address;
  }
  void set(uint32_t column, Where where, int64_t value) {
    if (column >= arch::kColumns) return;
    row_.where[column] = where;
    row_.value[column] = value;
  }
  void restore(uint32_t column) {
    if (column < arch::kColumns) set(column, scratch_.initial.where[column], scratch_.initial.value[column]);
  }

  const FrameDescription& description_;
  CfiScratch& scratch_;
  CfiRow& row_;
  uintptr_t code_;
  unsigned remembered_ = 0;
  bool in_cie_ = false;
};

}  // namespace

bool run_cfi(const FrameDescription& description, uintptr_t code, CfiScratch& scratch) {
  return Program(description, code, scratch).run();
}

}  // namespace memprof
