/* The client API of memprof, for C and C++.
 *
 * The functions are weak: a program that calls them through the MEMPROF_... macros links without memprof and runs
 * without it, at the cost of one test a call. All are thread-safe and async-signal-safe and change no errno.
 */
#pragma once

#include <stddef.h>

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
 * nothing pointed to any more. All other threads stand still for as long as the process takes to be forked
 * (milliseconds a GiB of resident memory); the image that was forked writes the rest into the trace while the program
 * goes on. Of several snapshots the last one counts. 1: begun; 0: recording is off, another thread takes one just now,
 * or the system does not allow it. Waits for an earlier one that is still being written. */
__attribute__((weak)) int memprof_snapshot(void);

/* A scope of the calling thread, with a budget: of the blocks that the thread allocates until memprof_scope_end(), no
 * more than so many bytes (as asked for), and no more than so many blocks, may be leaked in the end; else
 * `memprof-analyze check` fails and names the scope. MEMPROF_ANY_NUMBER: no limit. Leaked is what the last snapshot
 * (MEMPROF_SNAPSHOT, memprof_snapshot()) finds lost: what any thread frees before then has not leaked.
 *
 * Scopes nest, in each thread for itself: a block counts for the innermost one alone. Scopes of the same name are
 * judged each by itself, and the worst is reported. `name` is copied, at most its first 1023 bytes; NULL is "". A begin
 * takes 40 bytes of the trace and the name, an end 24, and each the lock of a record for a moment.
 *
 * There are no errors to handle: before memprof_start() the calls do nothing. An end without a begin, and a scope that
 * is never ended (it lasts as long as the trace), are counted and told by `check`. A forked child begins outside of all
 * scopes, and what ends there a scope that its parent began does nothing. Thread-safe and async-signal-safe. */
#define MEMPROF_ANY_NUMBER ((size_t)-1)
__attribute__((weak)) void memprof_scope_begin(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks);
/* Ends the calling thread's innermost scope. */
__attribute__((weak)) void memprof_scope_end(void);

#define MEMPROF_START() (memprof_start ? memprof_start() : (void)0)
#define MEMPROF_STOP() (memprof_stop ? memprof_stop() : (void)0)
#define MEMPROF_SNAPSHOT() (memprof_snapshot ? memprof_snapshot() : 0)
#define MEMPROF_IS_ACTIVE() (memprof_is_active ? memprof_is_active() : 0)
#define MEMPROF_SCOPE_BEGIN(name, max_leaked_bytes, max_leaked_blocks) \
  (memprof_scope_begin ? memprof_scope_begin(name, max_leaked_bytes, max_leaked_blocks) : (void)0)
#define MEMPROF_SCOPE_END() (memprof_scope_end ? memprof_scope_end() : (void)0)

#ifdef __cplusplus
}

namespace memprof {

/* memprof_scope_begin() until the end of the block; without numbers, nothing may leak. */
class scope {
 public:
  explicit scope(const char* name, size_t max_leaked_bytes = 0, size_t max_leaked_blocks = 0) {
    MEMPROF_SCOPE_BEGIN(name, max_leaked_bytes, max_leaked_blocks);
  }
  ~scope() { MEMPROF_SCOPE_END(); }
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
};

}  // namespace memprof
#endif
