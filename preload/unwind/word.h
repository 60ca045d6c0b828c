// Reading the host's stack: words that belong to nobody's C++ object.
#pragma once

#include <stdint.h>

namespace memprof {

using StackWord = uintptr_t __attribute__((may_alias));

inline uintptr_t word_at(uintptr_t address) { return *reinterpret_cast<const StackWord*>(address); }

// A sanitizer would take a read of another frame's words for an error.
#define MEMPROF_READS_STACK __attribute__((no_sanitize("address", "thread", "undefined")))

}  // namespace memprof
