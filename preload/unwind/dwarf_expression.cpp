#include "unwind/dwarf_expression.h"

#include "unwind/byte_reader.h"
#include "unwind/word.h"

namespace memprof {
namespace {

// DW_OP_*
enum Op : uint8_t {
  kAddress = 0x03,
  kDereference = 0x06,
  kConst1u = 0x08,
  kConst1s,
  kConst2u,
  kConst2s,
  kConst4u,
  kConst4s,
  kConst8u,
  kConst8s,
  kConstu = 0x10,
  kConsts,
  kDuplicate = 0x12,
  kDrop,
  kOver,
  kPick,
  kSwap,
  kRotate,
  kAbsolute = 0x19,
  kAnd,
  kDivide,
  kMinus,
  kModulo,
  kMultiply,
  kNegate,
  kNot,
  kOr,
  kPlus = 0x22,
  kPlusConstant,
  kShiftLeft,
  kShiftRight,
  kShiftRightSigned,
  kXor,
  kBranch = 0x28,
  kEqual,
  kGreaterEqual,
  kGreater,
  kLessEqual,
  kLess,
  kNotEqual,
  kSkip = 0x2f,
  kLiteral0 = 0x30,
  kLiteral31 = 0x4f,
  kBaseRegister0 = 0x70,
  kBaseRegister31 = 0x8f,
  kBaseRegister = 0x92,
  kDereferenceSized = 0x94,
  kNop = 0x96,
};

class Machine {
 public:
  Machine(const Registers& registers, ReadablePages& pages) : registers_(registers), pages_(pages) {}

  Evaluation run(const uint8_t* begin, const uint8_t* end, ExpressionStart start, uintptr_t& result) {
    if (start.has_first) push(start.first);
    ByteReader in(begin, end);
    unsigned steps = 0;  // a loop must end
    while (!in.at_end() && outcome_ == Evaluation::done) {
      if (++steps > kMostSteps) return Evaluation::failed;
      step(in.byte(), in, begin, end);
    }
    if (outcome_ == Evaluation::done && (!in.ok() || depth_ == 0)) outcome_ = Evaluation::failed;
    if (outcome_ == Evaluation::done) result = stack_[depth_ - 1];
    return outcome_;
  }

 private:
  static constexpr unsigned kMostSteps = 256, kMostDepth = 16;

  void fail() { outcome_ = Evaluation::failed; }
  void push(uintptr_t word) {
    if (depth_ == kMostDepth) return fail();
    stack_[depth_++] = word;
  }
  uintptr_t pop() {
    if (depth_ == 0) {
      fail();
      return 0;
    }
    return stack_[--depth_];
  }
  void push_from_top(uint64_t index) {
    if (index >= depth_) return fail();
    push(stack_[depth_ - 1 - index]);
  }
  void push_based(uint64_t column, int64_t offset) {
    if (registers_.knows(column)) return push(registers_.value[column] + static_cast<uintptr_t>(offset));
    outcome_ = Evaluation::unknown_register;
  }
  MEMPROF_READS_STACK void dereference(uint8_t bytes) {
    const uintptr_t address = pop();
    const uintptr_t aligned = address & ~uintptr_t{7};
    if (bytes == 0 || bytes > 8 || (bytes & (bytes - 1)) != 0 || address % bytes != 0) return fail();
    if (outcome_ != Evaluation::done || !pages_.contain_word(aligned)) return fail();
    const uintptr_t word = word_at(aligned) >> (address - aligned) * 8;
    push(bytes == 8 ? word : word & ((uintptr_t{1} << bytes * 8) - 1));
  }
  void jump(int16_t distance, ByteReader& in, const uint8_t* begin, const uint8_t* end) {
    const int64_t target = in.at() - begin + distance;
    if (!in.ok() || target < 0 || target > end - begin) return fail();
    in = ByteReader(begin + target, end);
  }

  void step(uint8_t op, ByteReader& in, const uint8_t* begin, const uint8_t* end) {
    if (op >= kLiteral0 && op <= kLiteral31) return push(op - kLiteral0);
    if (op >= kBaseRegister0 && op <= kBaseRegister31) return push_based(op - kBaseRegister0, in.sleb());
    switch (op) {
      case kBaseRegister: {
        const uint64_t column = in.uleb();
        return push_based(column, in.sleb());
      }
      case kAddress:
      case kConst8u:
      case kConst8s: return push(in.fixed<uint64_t>());
      case kConst1u: return push(in.fixed<uint8_t>());
      case kConst1s: return push(static_cast<uintptr_t>(int64_t{in.fixed<int8_t>()}));
      case kConst2u: return push(in.fixed<uint16_t>());
      case kConst2s: return push(static_cast<uintptr_t>(int64_t{in.fixed<int16_t>()}));
      case kConst4u: return push(in.fixed<uint32_t>());
      case kConst4s: return push(static_cast<uintptr_t>(int64_t{in.fixed<int32_t>()}));
      case kConstu: return push(in.uleb());
      case kConsts: return push(static_cast<uintptr_t>(in.sleb()));
      case kDuplicate: return push_from_top(0);
      case kOver: return push_from_top(1);
      case kPick: return push_from_top(in.byte());
      case kDrop: pop(); return;
      case kSwap: {
        const uintptr_t top = pop(), below = pop();
        push(top);
        return push(below);
      }
      case kRotate: {
        const uintptr_t top = pop(), second = pop(), third = pop();
        push(top);
        push(third);
        return push(second);
      }
      case kDereference: return dereference(8);
      case kDereferenceSized: return dereference(in.byte());
      case kPlusConstant: {
        const uint64_t addend = in.uleb();
        return push(pop() + addend);
      }
      case kAbsolute: {
        const uintptr_t word = pop();
        return push(static_cast<intptr_t>(word) < 0 ? 0 - word : word);
      }
      case kNegate: return push(0 - pop());
      case kNot: return push(~pop());
      case kSkip: return jump(in.fixed<int16_t>(), in, begin, end);
      case kBranch: {
        const int16_t distance = in.fixed<int16_t>();
        if (pop() != 0) jump(distance, in, begin, end);
        return;
      }
      case kNop: return;
      default: return combine(op);
    }
  }

  // Two operands, the upper one on the right.
  void combine(uint8_t op) {
    const uintptr_t right = pop(), left = pop();
    const auto signed_right = static_cast<intptr_t>(right), signed_left = static_cast<intptr_t>(left);
    switch (op) {
      case kAnd: return push(left & right);
      case kOr: return push(left | right);
      case kXor: return push(left ^ right);
      case kPlus: return push(left + right);
      case kMinus: return push(left - right);
      case kMultiply: return push(left * right);
      case kDivide:
        if (right == 0 || (signed_right == -1 && left == uintptr_t{1} << 63)) return fail();
        return push(static_cast<uintptr_t>(signed_left / signed_right));
      case kModulo:
        if (right == 0) return fail();
        return push(left % right);
      case kShiftLeft: return push(right < 64 ? left << right : 0);
      case kShiftRight: return push(right < 64 ? left >> right : 0);
      case kShiftRightSigned: return push(static_cast<uintptr_t>(signed_left >> (right < 64 ? right : 63)));
      case kEqual: return push(left == right);
      case kNotEqual: return push(left != right);
      case kGreaterEqual: return push(signed_left >= signed_right);
      case kGreater: return push(signed_left > signed_right);
      case kLessEqual: return push(signed_left <= signed_right);
      case kLess: return push(signed_left < signed_right);
      default: return fail();
    }
  }

  const Registers& registers_;
  ReadablePages& pages_;
  uintptr_t stack_[kMostDepth];
  unsigned depth_ = 0;
  Evaluation outcome_ = Evaluation::done;
};

}  // namespace

Evaluation evaluate(const uint8_t* block, const Registers& registers, ExpressionStart start, ReadablePages& pages,
                    uintptr_t& result) {
  ByteReader length(block, block + 10);  // in the module: run_cfi has skipped over the block
  const uint64_t bytes = length.uleb();
  return Machine(registers, pages).run(length.at(), length.at() + bytes, start, result);
}

}  // namespace memprof
