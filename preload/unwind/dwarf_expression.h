// Evaluates the DWARF expressions that CFI uses: signal trampolines, realigned frames, PLT entries, hand-written code.
#pragma once

#include <stdint.h>

#include "unwind/readable_pages.h"
#include "unwind/registers.h"

namespace memprof {

enum class Evaluation : uint8_t {
  done,
  unknown_register,  // it needs a register whose value in this frame is not known
  failed,            // malformed, not understood, or it leads to unreadable memory
};

// `block` is the address of a uleb length and that many bytes, already checked to lie in the module. `first` is what
// the stack holds at the start (the CFA for a register's expression), if `has_first`.
struct ExpressionStart {
  bool has_first;
  uintptr_t first;
};
Evaluation evaluate(const uint8_t* block, const Registers& registers, ExpressionStart start, ReadablePages& pages,
                    uintptr_t& result);

}  // namespace memprof
