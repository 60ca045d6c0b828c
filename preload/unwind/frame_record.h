// Code without CFI that provably keeps a frame record: where it calls, the frame-pointer register points at the
// caller's frame pointer, which lies beside the return address.
//
// What is taken for granted: the function lies where the module's dynamic symbol table says, it is entered at its first
// byte, and what it calls keeps the frame pointer, as the ABI demands. What is proved, by all of its instructions:
//   * It begins with the record: `push %rbp; mov %rsp,%rbp`, `stp x29,x30,[sp,#-n]!; mov x29,sp`.
//   * Nothing else changes the frame pointer, but restoring the caller's right before the function is left; and the
//     stack pointer stays on its stack.
//   * There is no code that nothing leads to: it might be another function. No branch leads into the record's making,
//   out of the function with the record in place, between instructions, or
//     to where nobody knows (an indirect jump).
// So wherever the function is left by a call, the register is what the record's making put there.
#pragma once

#include <stdint.h>

#include "unwind/byte_reader.h"

namespace memprof {

// CFA = frame pointer + cfa_offset; the caller's frame pointer lies where the register points, the return address after
// it. cfa_offset 0: not proved.
struct FrameRecord {
  uint32_t cfa_offset;
};

inline constexpr uint64_t kMostFunctionBytes = 2048;  // of larger functions nothing is proved

// `call_end`: the end of a call in `function`. Both are compiled everywhere, for the tests.
namespace x86_64 {
FrameRecord find_frame_record(ByteRange function, const uint8_t* call_end);
}
namespace aarch64 {
FrameRecord find_frame_record(ByteRange function, const uint8_t* call_end);
}

#if defined(__x86_64__)
using x86_64::find_frame_record;
#else
using aarch64::find_frame_record;
#endif

}  // namespace memprof
