// What every hook needs: where it was called from, and whether memprof itself or the C++ runtime is the caller.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "interpose/inside_calls.h"
#include "platform/clock.h"
#include "platform/own_module.h"
#include "unwind/unwinder.h"

#define MEMPROF_EXPORT extern "C" __attribute__((visibility("default")))

// Must stand in the hook itself: it names the hook's own frame.
#define MEMPROF_CALLER() \
  ::memprof::caller_of(__builtin_return_address(0), __builtin_dwarf_cfa(), __builtin_frame_address(0))

// Keeps the call before it from becoming a jump: the callee must see a return address in memprof (is_nested).
#define MEMPROF_NO_TAIL_CALL() asm volatile("" ::: "memory")

namespace memprof {

// The frame address points at the saved frame pointer of the caller on x86-64 and aarch64 alike.
inline CapturePoint caller_of(const void* return_address, const void* cfa, const void* frame) {
  return {reinterpret_cast<uintptr_t>(return_address), reinterpret_cast<uintptr_t>(cfa),
          *static_cast<const uintptr_t*>(frame)};
}

// [begin, end) of code whose calls are part of a call that a hook already accounts for: memprof itself, and the bodies
// of the C++ runtime's operators, which call malloc, free and each other.
struct CodeRange {
  uintptr_t begin;
  uintptr_t end;
};
constexpr unsigned kMaxNestedRanges = 48;
struct NestedCode {
  CodeRange hull;  // around all ranges of the runtime
  CodeRange ranges[kMaxNestedRanges];
  unsigned count;
};
extern NestedCode nested_code;

bool is_in_runtime_operator(uintptr_t address);

inline bool is_nested(const void* return_address) {
  const auto address = reinterpret_cast<uintptr_t>(return_address);
  if (is_in_own_module(address) || is_inside_heap_call(address)) return true;
  if (__builtin_expect(address - nested_code.hull.begin >= nested_code.hull.end - nested_code.hull.begin, 1)) {
    return false;
  }
  return is_in_runtime_operator(address);
}

// The time before a realloc, of which the old block ends. Not before the loads that brought its pointer: a processor
// that reads its clock ahead of them puts all of a realloc in place before the events of the thread that handed the
// block over, and no order by time can be right then. It costs 10 ns; a free alone, stamped too early, is recognized by
// the analyzer (analyzer/model/disputes.h).
inline uint64_t read_ticks_after_loads() {
#if defined(__x86_64__)
  _mm_lfence();
#endif
  return read_ticks();
}

}  // namespace memprof
