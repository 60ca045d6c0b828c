// Which functions belong together.
#pragma once

#include "memprof/trace_format.h"

namespace memprof {

constexpr bool is_mapping_function(format::Function function) {
  using format::Function;
  return function == Function::mmap || function == Function::munmap || function == Function::mremap ||
         (function >= Function::mmap_shared && function <= Function::mremap_shared_file);
}

}  // namespace memprof
