// Programs that this process starts, or becomes: each is told of in the trace of who starts it, as one that cannot be
// recorded tells nothing itself (static, set-user-ID, without LD_PRELOAD).
//
// Limit: system() and popen() start their shell by an inside of libc, and a raw clone() or execve system call passes
// by.
#pragma once

#include <stdint.h>
#include <sys/types.h>

namespace memprof {

// By its path, or where that is empty or missing by a descriptor.
struct ProgramName {
  const char* path;
  int descriptor = -1;
};

// The caller is about to exec: the process itself, a forked child, or a child that shares its memory.
// Async-signal-safe. True: it was written down, and is to be taken back when the exec returns.
bool note_program_start(ProgramName program);
void take_back_program_start();

// Whether a forked child that has done nothing yet begins a trace for the exec's sake: where leaks are to be judged
// (MEMPROF_SNAPSHOT=exit), for it costs.
bool tells_of_fresh_programs();

// posix_spawn made the process; `ticks` is a stamp from before.
void note_spawned(uint64_t ticks, pid_t pid, const char* program);

}  // namespace memprof
