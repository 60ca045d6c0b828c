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
          starts_[offset(at) / 64] |= uint64_t{1} << offset(at) % 64;
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

  bool allows(const uint8_t* at, const Instruction& found) {
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
    const int64_t target = static_cast<int64_t>(offset(at)) + found.length + found.target;
    const bool is_inside = target >= 0 && target < function_.end - function_.begin;
    if (found.flow == Flow::call) return !is_inside || target == 0;  // another entry
    if (is_restored) return !is_inside || target == 0;               // a tail call
    return is_inside && (starts_[target / 64] >> target % 64 & 1) != 0;
  }

  ByteRange function_;
  const uint8_t* body_;
  bool was_restored_ = false;
  uint64_t starts_[kMostFunctionBytes / 64] = {};  // bit n: an instruction of the body starts at byte n
};

}  // namespace

FrameRecord find_frame_record(ByteRange function, const uint8_t* call_end) {
  constexpr uint32_t kRecordBytes = 16;
  if (static_cast<uint64_t>(function.end - function.begin) > kMostFunctionBytes) return {0};
  const uint8_t* body = find_body(function);
  return {body != nullptr && Proof(function, body).holds_at(call_end) ? kRecordBytes : 0};
}

}  // namespace memprof::x86_64
