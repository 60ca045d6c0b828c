// The hooks that functions of libc, or what the program has in their place, are led to where memprof was not there when
// the program began: by entry patches, as the loader has bound the program's calls long since. Those of malloc and of
// the operators are not among them (allocators/).
//
// Each hook calls the next function by a place of its own; that leads to the copy of the function's beginning while the
// function is patched.
#pragma once

#include <stdint.h>

#include "interpose/hook.h"
#include "interpose/next_function.h"

namespace memprof {

struct LateHook {
  const char* name;
  void (*hook)();
  void** next;
};

class LateHooks {
 public:
  static constexpr unsigned kMost = 48;

  template <typename F>
  void add(const char* name, F* hook, void** next) {
    if (count_ < kMost) hooks_[count_++] = {name, reinterpret_cast<void (*)()>(hook), next};
  }
  const LateHook* begin() const { return hooks_; }
  const LateHook* end() const { return hooks_ + count_; }

 private:
  LateHook hooks_[kMost];
  unsigned count_ = 0;
};

// A name of a hook that leads to it, and not to what the process has under the exported one.
#define MEMPROF_LATE_NAME(function)                                                                         \
  asm(".globl memprof_late_" #function "\n.hidden memprof_late_" #function "\n.set memprof_late_" #function \
      ", " #function);                                                                                      \
  extern "C" __attribute__((visibility("hidden"))) decltype(function) memprof_late_##function

// Each file of hooks has one.
void list_exec_hooks(LateHooks& hooks);
void list_jump_hooks(LateHooks& hooks);
void list_mapping_hooks(LateHooks& hooks);
void list_process_hooks(LateHooks& hooks);
void list_seccomp_hooks(LateHooks& hooks);
void list_spawn_hooks(LateHooks& hooks);

LateHooks all_late_hooks();
// By all_late_hooks(): which function each is to be put into. `first_of` gets what the hook would call next, if it
// calls one of that name, and changes where it is another one that the program calls.
void find_late_functions(void* (*first_of)(const char* name, void* next));
extern void* late_functions[LateHooks::kMost];

// With all other threads stopped. Functions of libc that cannot be hooked are named, one line each. False: a thread is
// in the way of one.
bool patch_late_hooks();
void restore_late_hooks();

}  // namespace memprof
