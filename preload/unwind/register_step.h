// One step outward by the full CFI of a frame, for all registers: what a plain rule cannot say (signal frames,
// expressions, registers in registers). Slow (no cache), but exact, and without locks, memory or system calls.
#pragma once

#include <stdint.h>

#include "unwind/cfi_program.h"
#include "unwind/readable_pages.h"
#include "unwind/registers.h"

namespace memprof {

enum class RegisterStep : uint8_t {
  stepped,
  outermost,         // the CFI says that there is no caller
  unknown_register,  // the CFI needs a register that is not known in this frame
  failed,            // no CFI, wrong CFI, or unreadable memory
};

// `pc` is a return address, or the interrupted pc + arch::kIntoInstruction. On `stepped`, registers are the caller's,
// with the program counter in the same form; `interrupted` tells which.
RegisterStep step_registers(Registers& registers, uintptr_t& pc, bool& interrupted, CfiScratch& scratch,
                            ReadablePages& pages);

}  // namespace memprof
