// libunwind, the second opinion on a stack. Used by verify_stack alone, never in the recording path.
//
// Debian's libunwind.so exports _Unwind_*, which would override libgcc's in the host if it were a dependency of a
// preloaded library, and its archives are not position-independent. So the library is loaded by dlopen(RTLD_LOCAL) from
// the constructor, and only if stacks are to be verified.
//
// Its local unwinder calls dl_iterate_phdr (loader lock) while it holds its cache lock, and deadlocks with a host
// thread that mallocs in a dl_iterate_phdr callback. We use its interpreter for a "remote" address space, which is this
// process again: the module comes from _dl_find_object, caching is off, memory is read by us. What is left of locks are
// those of its pools, held for a few instructions with signals blocked. A child of fork might find one held for good,
// so a fork in the middle of a verification on another thread ends verification in the child.
#pragma once

#include <stdint.h>

#include "unwind/unwinder.h"

namespace memprof {

// Loads libunwind, or finds it loaded. False: it is not there, or lacks a function. One thread at a time.
bool load_oracle();

struct OracleResult {
  bool usable;     // it ran
  bool ended;      // it says that the stack ends here; false: it failed, or there are more frames than asked for
  uint32_t depth;  // frames in state.fresh: their pc as in Frame, innermost first
};
OracleResult ask_oracle(UnwindState& state, const CapturePoint& point, uint32_t max_depth);

}  // namespace memprof
