// The C++ runtime's own operators new and delete, found when one is first called: a C program may load C++ later, with
// RTLD_LOCAL, where RTLD_NEXT does not look, and a look-up that fails would allocate in the host's heap.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <atomic>

namespace memprof {

enum CxxOperator : unsigned {
  kNew,
  kNewNothrow,
  kNewAligned,
  kNewAlignedNothrow,
  kNewArray,
  kNewArrayNothrow,
  kNewArrayAligned,
  kNewArrayAlignedNothrow,
  kDelete,
  kDeleteSized,
  kDeleteNothrow,
  kDeleteAligned,
  kDeleteSizedAligned,
  kDeleteAlignedNothrow,
  kDeleteArray,
  kDeleteArraySized,
  kDeleteArrayNothrow,
  kDeleteArrayAligned,
  kDeleteArraySizedAligned,
  kDeleteArrayAlignedNothrow,
  kCxxOperators
};

// By CxxOperator; nullptr: not found yet.
extern std::atomic<void*> found_cxx_operators[kCxxOperators];
void* look_up_cxx_operator(CxxOperator which, const void* caller);

// The runtime's function, or nullptr when no C++ runtime is loaded. `caller` is an address in the calling module.
inline void* find_cxx_operator(CxxOperator which, const void* caller) {
  void* function = found_cxx_operators[which].load(std::memory_order_acquire);  // pairs with the CAS of the look-up
  return __builtin_expect(function != nullptr, 1) ? function : look_up_cxx_operator(which, caller);
}

// Bit CxxOperator: the runtime's function calls one that the program has replaced, new[] the program's own new, say.
// What that does is the program's affair: its malloc is recorded, if it calls one, and the operator is not.
extern std::atomic<uint32_t> operators_passed_on;
inline bool is_passed_on(CxxOperator which) {
  return (operators_passed_on.load(std::memory_order_relaxed) & 1u << which) != 0;
}

// From the constructor: where a C++ runtime is there already, finds its operators, as a look-up later would take the
// host's pending dlerror() away.
void find_loaded_cxx_operators();

// ---- Where the runtime's operators themselves are hooked (allocators/) ----------------------------------------------

inline constexpr unsigned kCxxOperatorCount = kCxxOperators;
// Mangled, by CxxOperator.
const char* cxx_operator_name(unsigned which);
bool is_cxx_runtime(const char* path);
// Bit CxxOperator: the program has one of its own.
void note_replaced_operators(uint32_t replaced);
// Those that call a replaced one are not hooked: their malloc, or what the program has in its place, is what counts.
bool is_passed_on(const char* name);
// The operator is hooked; 0 bytes: its length is not known.
void note_hooked_operator(const char* name, uintptr_t function, size_t bytes);
void forget_cxx_operators();

// A dlclose may have unloaded a runtime.
void forget_unloaded_cxx_operators();

}  // namespace memprof
