// One function of one module that an entry patch leads to memprof: what its stub hands to the hook. It stays as it is
// while its module is loaded.
#pragma once

#include <stdint.h>

#include "allocators/allocator.h"

namespace memprof {

struct HookedFunction {
  void* original;
  const AllocatorFunction* does;
  void* helper;  // AllocatorFunction::helper, or null
  format::Function function;
  format::Domain domain;
  bool is_alone;  // calls of its own module are part of a call that came in
  uintptr_t module_begin;
  uintptr_t module_end;
};

}  // namespace memprof
