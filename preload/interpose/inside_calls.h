// Whether this thread is inside a hooked call that stands for what it calls: mi_realloc calls mi_free, omp_alloc
// malloc, cudaMallocManaged cuMemAllocManaged. The outermost of a domain counts; of another domain each counts (the
// slab under g_slice_alloc is a heap block).
//
// Part of a call is what its own module calls, or in a program, which has other code too, what the program calls below
// it. So a signal handler's calls are its own, but in a program with an allocator inside. What counts for itself below
// a call, as libc's malloc inside of mi_realpath does, has the mark until it returns. A call that a longjmp ended
// has left its mark behind: a mark is believed only close above on the stack, and the next call that is not below it
// takes it away. Exceptions take it away as they pass.
#pragma once

#include <stdint.h>

#include "allocators/allocator.h"
#include "allocators/hooked_function.h"
#include "memprof/trace_format.h"
#include "unwind/unwinder.h"

namespace memprof {

struct InsideCalls {
  static constexpr unsigned kDomains = static_cast<unsigned>(format::Domain::pool) + 1;
  struct Mark {
    uintptr_t frame;  // of the outermost call; 0: none
    const HookedFunction* function;
  };
  Mark marks[kDomains];
  // An operator of memprof's that leaves it to what it calls to be recorded (cxx_runtime.h: is_passed_on). The C++
  // runtime's jumps to the program's, which then seems to be called by memprof.
  const CapturePoint* passed_on_for;

  Mark& of(format::Domain domain) { return marks[static_cast<unsigned>(domain)]; }
};
extern constinit thread_local InsideCalls inside_calls __attribute__((tls_model("initial-exec")));

inline bool is_close_below(uintptr_t outer_frame, uintptr_t frame) {
  constexpr uintptr_t kMostStackBytes = 256 * 1024;
  return frame < outer_frame && outer_frame - frame < kMostStackBytes;
}
// A driver of a GPU lies in several libraries.
inline bool is_part_of(const InsideCalls::Mark& outer, uintptr_t frame, uintptr_t return_address) {
  if (!is_close_below(outer.frame, frame)) return false;
  const HookedFunction& function = *outer.function;
  return function.domain == format::Domain::gpu ||
         (return_address >= function.module_begin && return_address < function.module_end);
}
inline bool is_inside_heap_call(uintptr_t return_address) {
  const InsideCalls::Mark& outer = inside_calls.of(format::Domain::cpu);
  return __builtin_expect(outer.frame != 0, 0) &&
         is_part_of(outer, reinterpret_cast<uintptr_t>(__builtin_frame_address(0)), return_address);
}

// What copies a text frees nothing of its own: mi_realpath that which libc's realpath has allocated.
inline bool counts_inside(const InsideCalls::Mark& outer, bool is_free) {
  return is_free && outer.function->does->does == Does::copy_text;
}
inline bool is_free_that_counts(const void* return_address) {
  const InsideCalls::Mark& outer = inside_calls.of(format::Domain::cpu);
  return __builtin_expect(outer.frame != 0, 0) && counts_inside(outer, true) &&
         is_inside_heap_call(reinterpret_cast<uintptr_t>(return_address));
}

inline void leave_all_calls() {
  for (InsideCalls::Mark& mark : inside_calls.marks) mark.frame = 0;
}
// A longjmp to a frame at `target_sp` ends all calls below it.
inline void leave_calls_below(uintptr_t target_sp) {
  for (InsideCalls::Mark& mark : inside_calls.marks) {
    if (mark.frame != 0 && mark.frame < target_sp) mark.frame = 0;
  }
}

}  // namespace memprof
