// Which function of a module covers an address, as the module's dynamic symbol table says: what remains of its symbols
// in memory. Lock-free, async-signal-safe, no system call; the whole table is read, so ask seldom.
#pragma once

#include <stdint.h>

#include "unwind/byte_reader.h"

namespace memprof {

// False: no symbol of a function with a size covers `code`, or others begin inside it, so that its extent is in doubt.
bool find_function(uintptr_t code, ByteRange& out);

}  // namespace memprof
