// What one x86-64 instruction is, as far as the proof of a frame record (frame_record.h) and the moving of a function's
// first instructions (entry_patch/) ask: its length, where control goes, whether it may change rbp or rsp, and what in
// it depends on where it lies. Source: Intel's manual, volume 2, appendix A (opcode maps).
//
// On the safe side: what is not understood has no length, and what is not known to leave a register alone "may write"
// it.
#pragma once

#include <stdint.h>

#include "unwind/byte_reader.h"

namespace memprof::x86_64 {

enum class Flow : uint8_t {
  next,
  call,
  jump,           // to `target`
  branch,         // to `target` or on
  indirect_jump,  // nobody knows where
  leaves,         // ret
};

struct Instruction {
  uint8_t length;  // 0: not understood, or cut by the end
  Flow flow;
  bool may_write_bp;
  bool may_write_sp;        // by naming it: not push, pop, call, ret
  bool is_padding;          // nop, int3
  bool has_target;          // of a call, jump or branch
  int32_t target;           // counted from the instruction's end
  uint8_t displacement_at;  // byte of the 32 bits of an operand that is counted from the instruction's end; 0: none
};

// The instruction at the reader's place, which is not moved.
Instruction decode(ByteReader code);

}  // namespace memprof::x86_64
