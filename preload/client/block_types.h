// Types that the program gives to its blocks.
#pragma once

#include <stdint.h>

namespace memprof {

// The block has this type from now on. Async-signal-safe.
void set_block_type(void* block, uint16_t domain, const char* name);

// In a forked child, whose trace knows none yet.
void define_types_again();

}  // namespace memprof
