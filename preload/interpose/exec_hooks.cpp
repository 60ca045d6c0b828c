// The exec family. libc's variants call each other's insides, so each is hooked; an image that is replaced has ended
// well, and the program behind it is told of.
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "interpose/next_function.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/program_starts.h"

using namespace memprof;

namespace {

using Strings = char* const[];
constinit NextFunction<int(const char*, Strings, Strings)> next_execve("execve");
constinit NextFunction<int(const char*, Strings)> next_execv("execv");
constinit NextFunction<int(const char*, Strings)> next_execvp("execvp");
constinit NextFunction<int(const char*, Strings, Strings)> next_execvpe("execvpe");
constinit NextFunction<int(int, Strings, Strings)> next_fexecve("fexecve");
constinit NextFunction<int(int, const char*, Strings, Strings, int)> next_execveat("execveat");

MEMPROF_FIND_NEXT void find_next() {
  next_execve.get();
  next_execv.get();
  next_execvp.get();
  next_execvpe.get();
  next_fexecve.get();
  next_execveat.get();
}

template <typename F, typename... Arguments>
int exec(ProgramName program, F* next, Arguments... arguments) {
  const bool is_told = note_program_start(program);
  note_end(format::EndState::exec);
  const int result = next(arguments...);
  note_exec_failed();
  if (is_told) take_back_program_start();
  return result;
}

// Number of arguments up to and without the closing null pointer.
size_t count_arguments(const char* first, va_list more) {
  size_t count = 0;
  for (const char* argument = first; argument != nullptr; argument = va_arg(more, const char*)) ++count;
  return count;
}

}  // namespace

// Collects `first` and the variable arguments into argv on the stack of the hook, as libc does.
#define MEMPROF_COLLECT_ARGUMENTS(first)                                            \
  va_list more;                                                                     \
  va_start(more, first);                                                            \
  const size_t count = count_arguments(first, more);                                \
  va_end(more);                                                                     \
  char** argv = static_cast<char**>(__builtin_alloca((count + 1) * sizeof(char*))); \
  va_start(more, first);                                                            \
  argv[0] = const_cast<char*>(first);                                               \
  for (size_t i = 1; i <= count; ++i) argv[i] = va_arg(more, char*)

MEMPROF_EXPORT int execve(const char* path, char* const argv[], char* const envp[]) noexcept {
  return exec({path}, next_execve.get(), path, argv, envp);
}
MEMPROF_EXPORT int execv(const char* path, char* const argv[]) noexcept {
  return exec({path}, next_execv.get(), path, argv);
}
MEMPROF_EXPORT int execvp(const char* file, char* const argv[]) noexcept {
  return exec({file}, next_execvp.get(), file, argv);
}
MEMPROF_EXPORT int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept {
  return exec({file}, next_execvpe.get(), file, argv, envp);
}
MEMPROF_EXPORT int fexecve(int fd, char* const argv[], char* const envp[]) noexcept {
  return exec({nullptr, fd}, next_fexecve.get(), fd, argv, envp);
}
MEMPROF_EXPORT int execveat(int directory, const char* path, char* const argv[], char* const envp[],
                            int flags) noexcept {
  return exec({path, directory}, next_execveat.get(), directory, path, argv, envp, flags);
}
MEMPROF_EXPORT int execl(const char* path, const char* first, ...) noexcept {
  MEMPROF_COLLECT_ARGUMENTS(first);
  va_end(more);
  return exec({path}, next_execv.get(), path, static_cast<char* const*>(argv));
}
MEMPROF_EXPORT int execlp(const char* file, const char* first, ...) noexcept {
  MEMPROF_COLLECT_ARGUMENTS(first);
  va_end(more);
  return exec({file}, next_execvp.get(), file, static_cast<char* const*>(argv));
}
MEMPROF_EXPORT int execle(const char* path, const char* first, ...) noexcept {
  MEMPROF_COLLECT_ARGUMENTS(first);
  char* const* envp = va_arg(more, char* const*);
  va_end(more);
  return exec({path}, next_execve.get(), path, static_cast<char* const*>(argv), envp);
}

MEMPROF_LATE_NAME(execve);
MEMPROF_LATE_NAME(execv);
MEMPROF_LATE_NAME(execvp);
MEMPROF_LATE_NAME(execvpe);
MEMPROF_LATE_NAME(fexecve);
MEMPROF_LATE_NAME(execveat);
MEMPROF_LATE_NAME(execl);
MEMPROF_LATE_NAME(execlp);
MEMPROF_LATE_NAME(execle);

void memprof::list_exec_hooks(LateHooks& hooks) {
  hooks.add("execve", memprof_late_execve, next_execve.place());
  hooks.add("execv", memprof_late_execv, next_execv.place());
  hooks.add("execvp", memprof_late_execvp, next_execvp.place());
  hooks.add("execvpe", memprof_late_execvpe, next_execvpe.place());
  hooks.add("fexecve", memprof_late_fexecve, next_fexecve.place());
  hooks.add("execveat", memprof_late_execveat, next_execveat.place());
  hooks.add("execl", memprof_late_execl, nullptr);
  hooks.add("execlp", memprof_late_execlp, nullptr);
  hooks.add("execle", memprof_late_execle, nullptr);
}
