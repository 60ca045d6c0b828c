// What the unwinder must know of aarch64: DWARF register columns, where a plain frame keeps its return address, and
// what an address of code looks like.
#pragma once

#include <stdint.h>

namespace memprof::arch {

inline constexpr unsigned kColumns = 35;  // x0-x30, sp, pc, elr_mode, ra_sign_state
inline constexpr unsigned kFramePointer = 29;
inline constexpr unsigned kStackPointer = 31;
inline constexpr unsigned kProgramCounter = 32;
inline constexpr unsigned kReturnColumn = 30;
// Bit r: after a call, register r still has the caller's value unless the CFI says otherwise (x19-x29).
inline constexpr uint64_t kCalleeSaved = 0x3ff80000u;

inline constexpr unsigned kCodeBits = 48;
inline constexpr unsigned kCodeAlignBits = 2;
// Added to the pc of a frame that a signal interrupted, so that pc - 1 lies in the instruction, as for a return
// address.
inline constexpr uintptr_t kIntoInstruction = 4;

// A plain frame stores the pair x29, x30 (`stp`): the return address lies above the saved frame pointer.
inline uintptr_t return_slot(uintptr_t /*cfa*/, uintptr_t frame_pointer_slot) { return frame_pointer_slot + 8; }
inline constexpr bool plain_return_offset(int64_t return_offset, int64_t frame_pointer_offset) {
  return return_offset == frame_pointer_offset + 8;
}
inline constexpr bool kFramePointerMayStay = false;  // saved together or not plain

// Whether the instruction before `code` is a call: bl, blr, or blr with pointer authentication.
inline constexpr uintptr_t kLongestCall = 4;
inline bool may_follow_call(const uint8_t* code) {
  uint32_t word;
  __builtin_memcpy(&word, code - 4, sizeof word);
  return word >> 26 == 0x25 || (word & 0xfeff0000) == 0xd63f0000;
}

// Drops the signature of pointer authentication (xpaclri, a no-op where there is none).
inline uintptr_t code_address(uintptr_t word) {
  register uintptr_t x30 asm("x30") = word;
  asm("hint #7" : "+r"(x30));
  return x30;
}

}  // namespace memprof::arch
