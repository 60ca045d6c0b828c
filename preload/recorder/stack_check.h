// MEMPROF_VERIFY_STACKS=N: every Nth capture of a thread is unwound again by libunwind and compared.
#pragma once

#include "thread_state/thread_state.h"

namespace memprof {

// After a capture into state.unwind. Counts checks and mismatches in the trace's header.
void check_stack(ThreadState& state, const StackView& stack, uint32_t node, const CapturePoint& caller);

}  // namespace memprof
