// Handles of a GPU's memory that the program has got once more, or from another process: each takes a release that is
// no end of a block.
#pragma once

#include <stdint.h>

namespace memprof {

// Any thread, also in a signal handler. Where there is no room the next release counts as the end.
void keep_handle(uint64_t handle);
// Whether this release is one of those.
bool let_handle_go(uint64_t handle);

}  // namespace memprof
