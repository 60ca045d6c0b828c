// Functions of allocators with an API of their own, which trace_format.h does not number: each has a number here, and
// the trace says what it is called before the first event that carries it.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

constexpr bool is_mapping_function(format::Function function) {
  using format::Function;
  return function == Function::mmap || function == Function::munmap || function == Function::mremap ||
         (function >= Function::mmap_shared && function <= Function::mmap_shared_file);
}

// A block that one of a family allocated must be freed by one of it.
enum OwnFamily : uint8_t {
  kAnyFamily = static_cast<uint8_t>(format::Family::none),
  kMallocFamily = static_cast<uint8_t>(format::Family::malloc),
  kPrefixedFamily = format::kFirstDefinedFamily,
  kSliceFamily,
  kScalableFamily,
  kOmpFamily,
};

// In the order of kOwnFunctions.
enum class OwnFunction : uint16_t {
  mi_malloc,
  mi_calloc,
  mi_realloc,
  mi_memalign,
  mi_free,
};

struct OwnFunctionInfo {
  OwnFunction function;
  const char* name;
  format::Domain domain;
  uint8_t family;
};
// A mimalloc that stands behind malloc frees its blocks with free() as well.
inline constexpr OwnFunctionInfo kOwnFunctions[] = {
    {OwnFunction::mi_malloc, "mi_malloc", format::Domain::cpu, kAnyFamily},
    {OwnFunction::mi_calloc, "mi_calloc", format::Domain::cpu, kAnyFamily},
    {OwnFunction::mi_realloc, "mi_realloc", format::Domain::cpu, kAnyFamily},
    {OwnFunction::mi_memalign, "mi_memalign", format::Domain::cpu, kAnyFamily},
    {OwnFunction::mi_free, "mi_free", format::Domain::cpu, kAnyFamily},
};
inline constexpr unsigned kOwnFunctionCount = sizeof(kOwnFunctions) / sizeof(kOwnFunctions[0]);
inline constexpr unsigned kMostOwnFunctions = 256;
static_assert(kOwnFunctionCount <= kMostOwnFunctions);
// The tags that follow are given out while the program runs (client/tags.h).
inline constexpr uint16_t kFirstFreeTag = format::kFirstDefinedTag + kMostOwnFunctions;

constexpr format::Function number_of(OwnFunction function) {
  return static_cast<format::Function>(format::kFirstDefinedTag + static_cast<uint16_t>(function));
}

// Its number in events, which the trace knows by then. Thread-safe and async-signal-safe.
format::Function defined(OwnFunction function);

// In a forked child, whose trace knows none yet: those that its parent defined.
void define_functions_again();

}  // namespace memprof
