// One function of one module that an entry patch leads to memprof: what its stub hands to the hook. It stays as it is
// while its module is loaded.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "allocators/allocator.h"

namespace memprof {

struct HookedFunction {
  void* original;                // the hook (entry_patch/hook_call_x86_64.cpp) knows the places of these two
  uint64_t has_stack_arguments;  // four words of them are handed on
  const AllocatorFunction* does;
  void* helper;  // AllocatorFunction::helper, or null
  format::Function function;
  format::Domain domain;
  uintptr_t module_begin;
  uintptr_t module_end;
  uintptr_t libc_entry;  // of one of libc's: where it begins; else 0
};
static_assert(offsetof(HookedFunction, original) == 0 && offsetof(HookedFunction, has_stack_arguments) == 8);

}  // namespace memprof
