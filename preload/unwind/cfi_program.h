// Runs the call frame instructions of a CIE and an FDE up to one address. The outcome is a row: how to find the CFA,
// and where the caller's value of each register is.
//
// Columns past arch::kColumns (vector registers) are decoded and dropped. The scratch space is part of the thread's
// state, not of the host's stack.
#pragma once

#include <stdint.h>

#include "unwind/arch.h"
#include "unwind/eh_frame.h"

namespace memprof {

enum class Where : uint8_t {
  unsaved,        // still in the register
  undefined,      // lost; for the return address: there is no caller
  at_offset,      // in memory at CFA + value
  is_offset,      // is CFA + value itself
  in_register,    // in register `value`
  at_expression,  // in memory at what the expression at `value` gives (a block: uleb length, bytes)
  is_expression,  // is what the expression gives
};

struct CfaRule {
  bool is_expression;
  uint32_t base;  // register
  int64_t value;  // offset, or address of the block
};

struct CfiRow {
  CfaRule cfa;
  int64_t value[arch::kColumns];
  Where where[arch::kColumns];
};

struct CfiScratch {
  static constexpr unsigned kRemembered = 8;  // deeper nesting of remember_state fails; compilers nest once
  CfiRow row;                                 // the result
  CfiRow initial;
  CfiRow remembered[kRemembered];
};

// The row in force at `code`, in scratch.row. False: malformed, or not understood.
bool run_cfi(const FrameDescription& description, uintptr_t code, CfiScratch& scratch);

}  // namespace memprof
