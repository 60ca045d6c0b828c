/* The client API of memprof, for C and C++.
 *
 * The functions are weak: a program that calls them through the MEMPROF_... macros links without memprof and runs
 * without it, at the cost of one test a call. All are thread-safe and async-signal-safe and change no errno.
 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Recording begins, or goes on after memprof_stop(). With MEMPROF_START=paused nothing is recorded before the first
 * call; blocks allocated before then and freed later are reported as orphans "before start". */
__attribute__((weak)) void memprof_start(void);

/* Allocations are not recorded until memprof_start(); frees still are, so that blocks recorded earlier are not taken
 * for leaks. */
__attribute__((weak)) void memprof_stop(void);

/* 1 while allocations of this process are recorded, else 0. */
__attribute__((weak)) int memprof_is_active(void);

/* Notes which words of the process's memory point to blocks, at this moment: `memprof-analyze` tells then which blocks
 * nothing pointed to any more. All other threads stand still for as long as the process takes to be forked (milliseconds
 * a GiB of resident memory); the image that was forked writes the rest into the trace while the program goes on. Of
 * several snapshots the last one counts. 1: begun; 0: recording is off, another thread takes one just now, or the system
 * does not allow it. Waits for an earlier one that is still being written. */
__attribute__((weak)) int memprof_snapshot(void);

#define MEMPROF_START() (memprof_start ? memprof_start() : (void)0)
#define MEMPROF_STOP() (memprof_stop ? memprof_stop() : (void)0)
#define MEMPROF_SNAPSHOT() (memprof_snapshot ? memprof_snapshot() : 0)
#define MEMPROF_IS_ACTIVE() (memprof_is_active ? memprof_is_active() : 0)

#ifdef __cplusplus
}
#endif
