// What the functions of allocators are called in the trace, and what may free what.
#pragma once

#include <stdint.h>

#include "allocators/allocator.h"

namespace memprof {

// What the format calls the function, if it has a number for it; else Function::none.
format::Function known_function(const char* prefix, const char* name);

uint8_t family_of(format::Function known);
// `serves_malloc`: the allocator's module has malloc too, whose blocks it shares.
uint8_t family_of(const Allocator& allocator, const AllocatorFunction& function, bool serves_malloc);

// Of a function of the allocator's that memprof has a hook of its own for.
format::Function number_of_function(const char* allocator, const char* function);

}  // namespace memprof
