// Hooks the functions of one allocator in one module, whole or not at all, and takes the hooks of a module away again.
//
// Invariants: one thread at a time; a HookedFunction and its stub stay as they are while their module is loaded, as
// hooks that have begun read them.
#pragma once

#include <link.h>
#include <stdint.h>

#include "allocators/hooked_function.h"
#include "allocators/module_symbols.h"

namespace memprof {

// The loader's word to debuggers that modules came or went.
extern const Allocator kLoader;

// Other allocators have a __libc_malloc too.
bool is_libc(const ModuleSymbols& symbols);

class Hooks {
 public:
  struct Target {
    const dl_phdr_info& module;
    const ModuleSymbols& symbols;
    const Allocator& allocator;
    const char* prefix;
    bool serves_malloc;  // the module has malloc too
  };
  // False: nothing was changed, and it is said why; `met_thread()` then tells whether a thread was in the way.
  bool hook(const Target& target, uintptr_t anchor);
  bool met_thread() const { return met_thread_; }

  // Nobody can be in the stubs of a module that is gone: is_there(its first byte) is false.
  template <typename IsThere>
  void forget_unloaded(IsThere is_there) {
    for (Batch& batch : batches_)
      if (batch.stubs != 0 && !is_there(batch.module_begin)) forget(batch);
  }
  // The module's functions are as they were.
  void restore(const ModuleSymbols& symbols) const;

 private:
  friend class Hooking;
  struct Batch {
    uintptr_t stubs;  // 0: free
    size_t stub_bytes;
    unsigned count;
    uintptr_t first_function;
    uintptr_t module_begin;
  };
  static constexpr unsigned kMostHooked = 320, kMostBatches = 64;

  HookedFunction* free_hooked();
  Batch* free_batch();
  bool is_patched_before(uintptr_t address) const;
  void forget(Batch& batch);

  HookedFunction hooked_[kMostHooked];  // module_end 0: free
  Batch batches_[kMostBatches];
  bool met_thread_;
};

}  // namespace memprof
