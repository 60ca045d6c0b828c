// Whether the loader loaded this library when the program began (LD_PRELOAD), or a dlopen did later.
#pragma once

namespace memprof {

// By the loader's list: what is preloaded stands before the libc that the program needs, what is opened later behind
// all that began with it. Constant once the library is loaded. (libc's environ, not set yet when the constructor of a
// preloaded library runs, tells nothing of a program that has cleared it.)
bool was_loaded_late();

}  // namespace memprof
