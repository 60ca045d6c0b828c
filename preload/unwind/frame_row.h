// How to step out of a frame: the row in force at its pc, from the CFI of its code, or for code that has none, from the
// proof that it keeps a frame record.
#pragma once

#include <stdint.h>

#include "unwind/cfi_program.h"
#include "unwind/eh_frame.h"

namespace memprof {

// `pc`: a return address, or the interrupted pc + arch::kIntoInstruction. On `yes` the row is in scratch.row.
Found find_row(uintptr_t pc, FrameDescription& description, CfiScratch& scratch);

}  // namespace memprof
