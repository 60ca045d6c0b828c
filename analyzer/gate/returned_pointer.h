// Which pointer a function returns that does nothing but return one, read from its instructions: nothing is run.
//
// Understood is what gcc and clang make of `return "literal";` and `return kText;` at any level of optimisation, for
// x86-64 and aarch64: a frame set up and taken down, the first result register loaded with an address or from one, a
// return. Anything else is refused, as what it does is not known.
#pragma once

#include <cstdint>
#include <optional>

#include "symbols/elf_memory.h"

namespace memprof {

// 0: nullptr.
std::optional<uint64_t> returned_pointer(const ElfMemory& memory, const ElfFunction& function);

}  // namespace memprof
