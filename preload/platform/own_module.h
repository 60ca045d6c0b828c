// Where this library lies in memory: from its first byte to the end of its data.
#pragma once

#include <stdint.h>

namespace memprof {

extern "C" {
// The linker's.
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}

inline uintptr_t own_module_start() { return reinterpret_cast<uintptr_t>(__ehdr_start); }
inline uintptr_t own_module_end() { return reinterpret_cast<uintptr_t>(_end); }

inline bool is_in_own_module(uintptr_t address) {
  return address - own_module_start() < own_module_end() - own_module_start();
}

}  // namespace memprof
