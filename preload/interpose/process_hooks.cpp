// Calls that begin or end a process, or unload code.
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "interpose/cxx_runtime.h"
#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "interpose/next_function.h"
#include "lifecycle/lifecycle.h"
#include "stack_table/module_table.h"
#include "stack_table/stack_table.h"
#include "thread_state/thread_state.h"

using namespace memprof;
using format::EndState;

namespace {

constinit NextFunction<pid_t()> next_fork("fork");
constinit NextFunction<void(int)> next_underscore_exit("_exit");
constinit NextFunction<void(int)> next_upper_exit("_Exit");
constinit NextFunction<void(int)> next_quick_exit("quick_exit");
constinit NextFunction<int(void*)> next_dlclose("dlclose");

MEMPROF_FIND_NEXT void find_next() {
  next_fork.get();
  next_underscore_exit.get();
  next_upper_exit.get();
  next_quick_exit.get();
  next_dlclose.get();
}

}  // namespace

MEMPROF_EXPORT pid_t fork() noexcept {
  note_fork();
  const pid_t child = next_fork.get()();
  if (child > 0) note_forked();
  return child;
}

// vfork needs no hook: its child uses the parent's memory, and is told apart by its pid.

MEMPROF_EXPORT void _exit(int status) {
  note_end(EndState::immediate_exit);
  next_underscore_exit.get()(status);
  __builtin_unreachable();
}
MEMPROF_EXPORT void _Exit(int status) noexcept {
  note_end(EndState::immediate_exit);
  next_upper_exit.get()(status);
  __builtin_unreachable();
}
MEMPROF_EXPORT void quick_exit(int status) noexcept {
  note_end(EndState::quick_exit);
  next_quick_exit.get()(status);
  __builtin_unreachable();
}

MEMPROF_EXPORT int dlclose(void* handle) noexcept {
  note_modules_changing();
  const int result = next_dlclose.get()(handle);
  // Nodes of what is gone are retired before anybody may remember a stack again.
  if (may_write_records()) find_unloaded_modules(retire_range);
  note_modules_changed();
  forget_unloaded_cxx_operators();
  return result;
}

MEMPROF_LATE_NAME(fork);
MEMPROF_LATE_NAME(_exit);
MEMPROF_LATE_NAME(_Exit);
MEMPROF_LATE_NAME(quick_exit);
MEMPROF_LATE_NAME(dlclose);

void memprof::list_process_hooks(LateHooks& hooks) {
  hooks.add("fork", memprof_late_fork, next_fork.place());
  hooks.add("_exit", memprof_late__exit, next_underscore_exit.place());
  hooks.add("_Exit", memprof_late__Exit, next_upper_exit.place());
  hooks.add("quick_exit", memprof_late_quick_exit, next_quick_exit.place());
  hooks.add("dlclose", memprof_late_dlclose, next_dlclose.place());
}
