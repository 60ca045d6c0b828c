// What the unwinder must know of x86-64: DWARF register columns, where a plain frame keeps its return address, and what
// an address of code looks like.
#pragma once

#include <stdint.h>

namespace memprof::arch {

inline constexpr unsigned kColumns = 17;  // 0-15 general registers, 16 return address
inline constexpr unsigned kFramePointer = 6;
inline constexpr unsigned kStackPointer = 7;
inline constexpr unsigned kProgramCounter = 16;
inline constexpr unsigned kReturnColumn = 16;
// Bit r: after a call, register r still has the caller's value unless the CFI says otherwise (rbx rbp r12-r15).
inline constexpr uint64_t kCalleeSaved = 1u << 3 | 1u << 6 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15;

// User addresses below this many bits; one instruction starts at any byte.
inline constexpr unsigned kCodeBits = 47;
inline constexpr unsigned kCodeAlignBits = 0;
// Added to the pc of a frame that a signal interrupted, so that pc - 1 lies in the instruction, as for a return
// address.
inline constexpr uintptr_t kIntoInstruction = 1;

// A plain frame's return address lies where the call pushed it.
inline uintptr_t return_slot(uintptr_t cfa, uintptr_t /*frame_pointer_slot*/) { return cfa - 8; }
inline constexpr bool plain_return_offset(int64_t return_offset, int64_t /*frame_pointer_offset*/) {
  return return_offset == -8;
}
inline constexpr bool kFramePointerMayStay = true;  // a plain frame need not save rbp

// Whether the bytes before `code` can be a call: e8 with 4 bytes, or ff with register field 2 and its operand.
inline constexpr uintptr_t kLongestCall = 7;
inline bool may_follow_call(const uint8_t* code) {
  if (code[-5] == 0xe8) return true;
  for (int length = 2; length <= static_cast<int>(kLongestCall); ++length) {
    if (code[-length] == 0xff && (code[1 - length] >> 3 & 7) == 2) return true;
  }
  return false;
}

inline uintptr_t code_address(uintptr_t word) { return word; }

}  // namespace memprof::arch
