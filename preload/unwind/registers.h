// The registers of one frame, as far as they are known.
#pragma once

#include <stdint.h>

#include "unwind/arch.h"

namespace memprof {

struct Registers {
  uintptr_t value[arch::kColumns];
  uint64_t known;  // bit r: value[r] is the frame's

  bool knows(uint64_t column) const { return column < arch::kColumns && (known >> column & 1) != 0; }
  void set(unsigned column, uintptr_t word) {
    value[column] = word;
    known |= uint64_t{1} << column;
  }
};

}  // namespace memprof
