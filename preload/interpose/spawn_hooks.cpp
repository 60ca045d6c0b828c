// posix_spawn: its child calls the insides of libc, so the parent tells of the program, when it is there.
#include <spawn.h>

#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "interpose/next_function.h"
#include "lifecycle/program_starts.h"
#include "platform/clock.h"

using namespace memprof;

namespace {

using Spawn = int(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, char* const[],
                  char* const[]);
constinit NextFunction<Spawn> next_posix_spawn("posix_spawn");
constinit NextFunction<Spawn> next_posix_spawnp("posix_spawnp");

MEMPROF_FIND_NEXT void find_next() {
  next_posix_spawn.get();
  next_posix_spawnp.get();
}

int spawn(Spawn* next, pid_t* pid, const char* program, const posix_spawn_file_actions_t* actions,
          const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  pid_t own = 0;
  pid_t* const child = pid != nullptr ? pid : &own;
  const uint64_t ticks = read_ticks();
  const int result = next(child, program, actions, attributes, argv, envp);
  if (result == 0) note_spawned(ticks, *child, program);
  return result;
}

}  // namespace

MEMPROF_EXPORT int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                               const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return spawn(next_posix_spawn.get(), pid, path, actions, attributes, argv, envp);
}
MEMPROF_EXPORT int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions,
                                const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return spawn(next_posix_spawnp.get(), pid, file, actions, attributes, argv, envp);
}

MEMPROF_LATE_NAME(posix_spawn);
MEMPROF_LATE_NAME(posix_spawnp);

void memprof::list_spawn_hooks(LateHooks& hooks) {
  hooks.add("posix_spawn", memprof_late_posix_spawn, next_posix_spawn.place());
  hooks.add("posix_spawnp", memprof_late_posix_spawnp, next_posix_spawnp.place());
}
