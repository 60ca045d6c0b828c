// Functions of allocators that the format has no number for: numbered as they are first hooked, from kFirstDefinedTag,
// and told to a trace before the first event that carries one. Behind their numbers begin those of the program's tags
// (client/tags.h).
//
// Invariants: a number is given by the one thread that hooks functions, and stands for the same from then on; whether
// the trace knows it is asked by any thread, also in a signal handler.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

inline constexpr uint32_t kMostDefinedFunctions = 256;
inline constexpr uint16_t kFirstClientTag = format::kFirstDefinedTag + kMostDefinedFunctions;

// The function's number; `prefix` and `name` together are what the program calls, and are not copied.
// Function::none: there is no room.
format::Function define_function(const char* prefix, const char* name, const char* allocator, format::Domain domain,
                                 uint8_t family);

inline bool is_defined_function(format::Function function) {
  return static_cast<uint16_t>(function) >= format::kFirstDefinedTag;
}

// Makes sure that the trace knows it. With the trace open.
void tell_function(format::Function function);

format::Domain domain_of_function(format::Function function);

// In a forked child, whose trace knows none yet.
void forget_told_functions();

}  // namespace memprof
