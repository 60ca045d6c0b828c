#include "unwind/frame_record.h"
#include "unwind/instruction_x86_64.h"

namespace memprof::x86_64 {
namespace {

constexpr uint8_t kEndbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
constexpr uint8_t kPushBp = 0x55, kPopBp = 0x5d, kLeave = 0xc9;
constexpr uint8_t kMoveSpToBp[2][3] = {{0x48, 0x89, 0xe5}, {0x48, 0x8b, 0xec}};

bool begins_with(const uint8_t* at, const uint8_t* end, const uint8_t* bytes, uint64_t count) {
  return static_cast<uint64_t>(end - at) >= count && memcmp(at, bytes, count) == 0;
}

// The end of the record's making; nullptr: the function does not begin with it.
const uint8_t* find_body(ByteRange function) {
  const uint8_t* at = function.begin;
  if (begins_with(at, function.end, kEndbr, sizeof kEndbr)) at += sizeof kEndbr;
  if (at == function.end || *at++ != kPushBp) return nullptr;
  for (const auto& move : kMoveSpToBp) {
    if (begins_with(at, function.end, move, sizeof move)) return at + sizeof move;
  }
  return nullptr;
}

class Proof {
 public:
  Proof(ByteRange function, const uint8_t* body) : function_(function), body_(body) {}

  bool holds_at(const uint8_t* call_end) {
    bool calls_there = false;
    if (!each([&](const uint8_t* at, const Instruction& found) {
          mark(starts_, offset(at));
          if (found.has_target && found.flow != Flow::call) mark(targets_, target_of(at, found));
          calls_there = calls_there || (found.flow == Flow::call && at + found.length == call_end);
          return true;
        })) {
      return false;
    }
    return calls_there && each([&](const uint8_t* at, const Instruction& found) { return allows(at, found); });
  }

 private:
  uint64_t offset(const uint8_t* at) const { return static_cast<uint64_t>(at - function_.begin); }

  template <typename Visit>
  bool each(const Visit& visit) {
    for (const uint8_t* at = body_; at != function_.end;) {
      const Instruction found = decode(ByteReader(at, function_.end));
      if (found.length == 0 || !visit(at, found)) return false;
      at += found.length;
    }
    return true;
  }

  static bool holds(const uint64_t (&bits)[kMostFunctionBytes / 64], uint64_t offset) {
    return offset < kMostFunctionBytes && (bits[offset / 64] >> offset % 64 & 1) != 0;
  }
  static void mark(uint64_t (&bits)[kMostFunctionBytes / 64], uint64_t offset) {
    if (offset < kMostFunctionBytes) bits[offset / 64] |= uint64_t{1} << offset % 64;
  }
  // May be before the function: then huge.
  uint64_t target_of(const uint8_t* at, const Instruction& found) const {
    return offset(at) + found.length + static_cast<uint64_t>(int64_t{found.target});
  }

  // The stack pointer stays on its stack: add, sub, and with a number, sub of a register, lea from rbp, mov from rbp.
  static bool keeps_stack(const uint8_t* at) {
    if (*at >> 4 != 4) return false;
    const uint8_t opcode = at[1], modrm = at[2], extension = modrm >> 3 & 7;
    switch (opcode) {
      case 0x81:
      case 0x83: return extension == 0 || extension == 4 || extension == 5;
      case 0x29: return true;
      case 0x8d: return (modrm & 7) == 5 && modrm >> 6 != 0 && (*at & 1) == 0;
      case 0x89: return modrm == 0xec && *at == 0x48;
      case 0x8b: return modrm == 0xe5 && *at == 0x48;
      default: return false;
    }
  }

  bool allows(const uint8_t* at, const Instruction& found) {
    // What nothing leads to may be a function of its own, entered by a pointer.
    if (is_unreachable_ && holds(targets_, offset(at))) is_unreachable_ = false;
    if (is_unreachable_) return found.is_padding;
    is_unreachable_ = found.flow == Flow::leaves || found.flow == Flow::jump;
    if (found.may_write_sp && !keeps_stack(at)) return false;
    const bool is_restored = was_restored_;
    was_restored_ = false;
    // Right after the restoring, the function must be left.
    if (is_restored && found.flow != Flow::leaves && found.flow != Flow::jump) return false;
    if (found.may_write_bp) {
      was_restored_ = *at == kLeave || *at == kPopBp;
      return was_restored_ && at + found.length != function_.end;
    }
    if (found.flow == Flow::indirect_jump) return false;
    if (!found.has_target) return true;
    const uint64_t target = target_of(at, found);
    const bool is_inside = target < offset(function_.end);
    if (found.flow == Flow::call) return !is_inside || target == 0;  // another entry
    if (is_restored) return !is_inside || target == 0;               // a tail call
    return is_inside && holds(starts_, target);
  }

  ByteRange function_;
  const uint8_t* body_;
  bool was_restored_ = false;
  bool is_unreachable_ = false;
  // Bit n: an instruction of the body starts at byte n; a jump or branch leads there.
  uint64_t starts_[kMostFunctionBytes / 64] = {};
  uint64_t targets_[kMostFunctionBytes / 64] = {};
};

}  // namespace

FrameRecord find_frame_record(ByteRange function, const uint8_t* call_end) {
  constexpr uint32_t kRecordBytes = 16;
  if (static_cast<uint64_t>(function.end - function.begin) > kMostFunctionBytes) return {0};
  const uint8_t* body = find_body(function);
  return {body != nullptr && Proof(function, body).holds_at(call_end) ? kRecordBytes : 0};
}

}  // namespace memprof::x86_64
