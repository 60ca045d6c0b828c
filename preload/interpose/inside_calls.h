// Whether this thread is inside a hooked call that stands for what it calls: mi_realloc calls mi_free, omp_alloc
// malloc, cudaMallocManaged cuMemAllocManaged. The outermost of a domain counts; of another domain each counts (the
// slab under g_slice_alloc is a heap block).
//
// A call that a longjmp or an exception ended has left its mark behind. So a mark is believed only where it can be
// true, close above on the stack, and the next call that is not below it takes it away. What the program's new-handler
// allocates, below an operator that found no memory, goes uncounted.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"
#include "unwind/unwinder.h"

namespace memprof {

struct InsideCalls {
  static constexpr unsigned kDomains = static_cast<unsigned>(format::Domain::pool) + 1;
  uintptr_t frames[kDomains];  // of the outermost call; 0: none
  // An operator of memprof's that leaves it to what it calls to be recorded (cxx_runtime.h: is_passed_on). The C++
  // runtime's jumps to the program's, which then seems to be called by memprof.
  const CapturePoint* passed_on_for;
};
extern constinit thread_local InsideCalls inside_calls __attribute__((tls_model("initial-exec")));

inline bool is_inside(uintptr_t outer_frame, uintptr_t frame) {
  constexpr uintptr_t kMostStackBytes = 256 * 1024;
  return frame < outer_frame && outer_frame - frame < kMostStackBytes;
}
inline bool is_inside_heap_call() {
  const uintptr_t outer = inside_calls.frames[static_cast<unsigned>(format::Domain::cpu)];
  return __builtin_expect(outer != 0, 0) && is_inside(outer, reinterpret_cast<uintptr_t>(__builtin_frame_address(0)));
}

// A longjmp to a frame at `target_sp` ends all calls below it.
inline void leave_calls_below(uintptr_t target_sp) {
  for (uintptr_t& frame : inside_calls.frames) {
    if (frame != 0 && frame < target_sp) frame = 0;
  }
}

}  // namespace memprof
