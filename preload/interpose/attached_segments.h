// The segments of System V that the program has attached: shmdt does not say how large one is.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

// False: there is no room. Any thread, also in a signal handler.
bool remember_segment(uintptr_t start, size_t bytes);
// Its size; 0: there is none.
size_t forget_segment(uintptr_t start);

}  // namespace memprof
