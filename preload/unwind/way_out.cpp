#include "unwind/way_out.h"

#if defined(__x86_64__)
#include "unwind/instruction_x86_64.h"
#endif

namespace memprof {

#if defined(__x86_64__)

namespace {

using x86_64::Flow;
using x86_64::Instruction;

constexpr Rule kNoData = Rule::special(RuleKind::no_data);
constexpr int64_t kWordBytes = 8;

// Where the stack pointer is, and the caller's frame pointer, counted from what the two registers are at the return.
struct Place {
  bool from_frame_pointer = false;
  int64_t sp = 0;
  int64_t saved = -1;  // -1: the register still holds it
};

// add of a number to the stack pointer, 0: it is none.
int64_t added_to_sp(const uint8_t* at) {
  if (at[0] != 0x48 || at[2] != 0xc4) return 0;
  if (at[1] == 0x83) return static_cast<int8_t>(at[3]);
  int32_t number = 0;
  if (at[1] == 0x81) memcpy(&number, at + 3, sizeof(number));
  return number;
}

// Instructions that change the stack pointer without naming it; push and what is like it are not followed.
bool moves_sp(const uint8_t* at) {
  const uint8_t opcode = at[0] >> 4 == 4 ? at[1] : at[0];
  return opcode >> 4 == 5 || opcode == 0x68 || opcode == 0x6a || opcode == 0x8f || opcode == 0x9c || opcode == 0x9d ||
         opcode == 0xff;
}

// False: not followed.
bool follow(const uint8_t* at, const Instruction& instruction, Place& place) {
  const bool has_prefix = at[0] == 0x41;
  const uint8_t opcode = has_prefix ? at[1] : at[0];
  if (opcode >= 0x58 && opcode <= 0x5f && instruction.length == (has_prefix ? 2 : 1)) {  // pop
    if (!has_prefix && opcode == 0x5c) return false;
    if (!has_prefix && opcode == 0x5d) place.saved = place.sp;
    place.sp += kWordBytes;
    return true;
  }
  if (at[0] == 0xc9 && instruction.length == 1) {  // leave
    if (place.saved >= 0 || place.from_frame_pointer) return false;
    place = {true, kWordBytes, 0};
    return true;
  }
  if (const int64_t added = instruction.may_write_sp ? added_to_sp(at) : 0; added > 0) {
    place.sp += added;
    return true;
  }
  return instruction.flow == Flow::next && !instruction.may_write_sp && !instruction.may_write_bp && !moves_sp(at);
}

}  // namespace

Rule find_way_out(ByteRange code) {
  Place place;
  for (const uint8_t* at = code.begin; at < code.end;) {
    const Instruction instruction = x86_64::decode(ByteReader(at, code.end));
    if (instruction.length == 0) return kNoData;
    if (instruction.flow == Flow::leaves) {
      if (*at != 0xc3 || place.sp % kWordBytes != 0) return kNoData;
      const int64_t cfa = place.sp + kWordBytes;
      const auto n = static_cast<uint32_t>(cfa / kWordBytes);
      const auto k =
          place.saved < 0 ? Rule::kKeepsFramePointer : static_cast<uint32_t>((cfa - place.saved) / kWordBytes);
      return n <= Rule::kMostCfa && k <= Rule::kMostSaved ? Rule::plain(place.from_frame_pointer, n, k) : kNoData;
    }
    if (!follow(at, instruction, place)) return kNoData;
    at += instruction.length;
  }
  return kNoData;
}

#else

Rule find_way_out(ByteRange) { return Rule::special(RuleKind::no_data); }

#endif

}  // namespace memprof
