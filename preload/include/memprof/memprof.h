/* The client API of memprof, for C and C++: what a program can tell the profiler that it cannot see by itself.
 *
 * A program that includes this header links nothing of memprof. When it starts, it looks whether libmemprof.so is in
 * the process (LD_PRELOAD); without it each call is one test of a variable, less than a nanosecond where the compiler
 * optimizes, and the functions that return something return 0. With it, all are thread-safe, change no errno and never
 * fail: a call that is wrong is counted and does nothing else, and `memprof-analyze` says so. Names are copied, at most
 * their first 1023 bytes; NULL is "". Tags, domains and types have one; marks, scopes and pools may do without. All are
 * async-signal-safe, but a handler that interrupts a call for the same pool goes without (counted as dropped).
 *
 * Calls in a constructor of another library, which runs before this file's own, do nothing. Where memprof was attached
 * to a running program, they do nothing either. */
#pragma once

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "memprof/client_functions.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A domain of blocks: each has its own addresses, sums and peak. The built-in ones, and those of memprof_domain(). */
#define MEMPROF_CPU 0      /* the heap, as malloc's: for an allocator of the program's own that malloc does not serve */
#define MEMPROF_GPU 2      /* memory of a device */
#define MEMPROF_EXTERNAL 3 /* blocks that another library, process or machine holds for the program */
#define MEMPROF_POOL 4     /* blocks within blocks of another domain */

/* Of a budget: no limit. */
#define MEMPROF_ANY_NUMBER SIZE_MAX

/* Where the library is not in the process: NULL. */
static const struct memprof_client_functions* memprof_found_;
__attribute__((constructor(101))) static void memprof_find_(void) {
  void* const every_object = NULL; /* RTLD_DEFAULT, which C hides unless it is asked for */
  void* const found = dlsym(every_object, "memprof_client_functions");
#ifdef __cplusplus
  memprof_found_ = static_cast<const struct memprof_client_functions*>(found);
#else
  memprof_found_ = found;
#endif
}

/* ---- Recording ---- */

/* Recording begins, or goes on after memprof_stop(). With MEMPROF_START=paused nothing is recorded before the first
 * call; blocks allocated before then and freed later are reported as orphans "before start". */
static inline void memprof_start(void) {
  if (memprof_found_) memprof_found_->start();
}
/* Allocations are not recorded until memprof_start(); frees still are, so that blocks recorded earlier are not taken
 * for leaks. */
static inline void memprof_stop(void) {
  if (memprof_found_) memprof_found_->stop();
}
/* 1 while allocations of this process are recorded, else 0. */
static inline int memprof_is_active(void) { return memprof_found_ ? memprof_found_->is_active() : 0; }

/* Notes which words of the process's memory point to blocks, at this moment: `memprof-analyze` tells then which blocks
 * nothing pointed to any more. All other threads stand still for as long as the process takes to be forked
 * (milliseconds a GiB of resident memory); the image that was forked writes the rest into the trace while the program
 * goes on. Of several snapshots the last one counts. 1: begun; 0: recording is off, another thread takes one just now,
 * or the system does not allow it. Waits for an earlier one that is still being written. */
static inline int memprof_snapshot(void) { return memprof_found_ ? memprof_found_->snapshot() : 0; }

/* Returns when what was recorded so far is on the disk, so that it outlives a crash of the machine. It outlives one of
 * the program by itself: the trace is a shared mapping, which the kernel keeps. */
static inline void memprof_flush(void) {
  if (memprof_found_) memprof_found_->flush();
}

/* A moment with a name, for the timeline and for `--from NAME --to NAME`. 24 bytes of the trace and the name. */
static inline void memprof_mark(const char* name) {
  if (memprof_found_) memprof_found_->mark(name);
}

/* ---- Tags and scopes of the calling thread ---- */

/* What the thread allocates until memprof_pop_tag() is tagged with the name: `--tag NAME` chooses it, `--group tag`
 * sums it up. Tags nest: a block has the innermost one, of which 28 are kept; deeper ones go by the last of these. For
 * names that are few: together with the functions that allocate, there is room for 65,000. A forked child goes on with
 * the tags of the thread that forked, and a signal handler has those of the thread that it interrupted. A longjmp pops
 * nothing: what was pushed since its setjmp stays pushed. */
static inline void memprof_push_tag(const char* name) {
  if (memprof_found_) memprof_found_->push_tag(name);
}
static inline void memprof_pop_tag(void) {
  if (memprof_found_) memprof_found_->pop_tag();
}

/* A scope of the calling thread, with a budget: of the blocks that the thread allocates until memprof_scope_end(), no
 * more than so many bytes (as asked for), and no more than so many blocks, may be leaked in the end; else
 * `memprof-analyze check` fails and names the scope. MEMPROF_ANY_NUMBER: no limit. Leaked is what the last snapshot
 * (MEMPROF_SNAPSHOT, memprof_snapshot()) finds lost: what any thread frees before then has not leaked.
 *
 * Scopes nest, in each thread for itself: a block counts for the innermost one alone. Scopes of the same name are
 * judged each by itself, and the worst is reported. A begin takes 40 bytes of the trace and the name, an end 24, and
 * each the lock of a record for a moment. An end without a begin, and a scope that is never ended (it lasts as long as
 * the trace), are counted and told by `check`. A forked child begins outside of all scopes, and what ends there a scope
 * that its parent began does nothing. */
static inline void memprof_scope_begin(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks) {
  if (memprof_found_) memprof_found_->scope_begin(name, max_leaked_bytes, max_leaked_blocks);
}
/* Ends the calling thread's innermost scope. */
static inline void memprof_scope_end(void) {
  if (memprof_found_) memprof_found_->scope_end();
}

/* ---- Blocks that memprof does not see ---- */

/* The domain of this name, which is made if it is new; also of a built-in one ("gpu"). For names that are few, as tags:
 * each function of those below that is called in one takes of the same 65,000, and where there is no room for one more
 * the block is not recorded, which is counted. */
static inline uint16_t memprof_domain(const char* name) { return memprof_found_ ? memprof_found_->domain(name) : 0; }

/* A block of `bytes`, fewer than 2^56, at this address or handle of the domain; call it after the block was made, with
 * the stack of the caller. NULL is no block, and no mistake: what failed can be passed on. In MEMPROF_CPU the address
 * must be none that malloc gives out. */
static inline void memprof_track_alloc(uint16_t domain, const void* block, size_t bytes) {
  if (memprof_found_) memprof_found_->track_alloc(domain, block, bytes);
}
/* The old block became this one, of `bytes`; call it after. The two may be the same. Where other threads allocate
 * meanwhile and may get the old address, say memprof_track_free() before and memprof_track_alloc() after instead. */
static inline void memprof_track_realloc(uint16_t domain, const void* old_block, const void* block, size_t bytes) {
  if (memprof_found_) memprof_found_->track_realloc(domain, old_block, block, bytes);
}
/* Call it before the block is given back: from then on another thread may get its address. */
static inline void memprof_track_free(uint16_t domain, const void* block) {
  if (memprof_found_) memprof_found_->track_free(domain, block);
}

/* What the live block is, whoever allocated it: `--group type` sums up by it, in place of what its stack says. A
 * realloc makes a new block, which has no type before it is given one. Where there is no such block the type is
 * nobody's; `memprof-analyze` counts those. memprof_set_type(): a block of the heap. */
static inline void memprof_set_type_in(uint16_t domain, const void* block, const char* name) {
  if (memprof_found_) memprof_found_->set_type(domain, block, name);
}
static inline void memprof_set_type(const void* block, const char* name) {
  memprof_set_type_in(MEMPROF_CPU, block, name);
}

/* ---- Pools ---- */

/* A pool of blocks that are given back together; its blocks have its name as their tag. In which domain: MEMPROF_POOL
 * where its memory comes from malloc or mmap, which memprof sees as well. 65,535 at a time. 0 is no pool, for which all
 * calls do nothing. Any thread may use a pool, one at a time.
 *
 * For each block that it holds, a pool keeps 8 to 22 bytes; a reset or the end writes one free for each. */
typedef uint64_t memprof_pool;
static inline memprof_pool memprof_pool_create(uint16_t domain, const char* name) {
  return memprof_found_ ? memprof_found_->pool_create(domain, name) : 0;
}
/* The pool gave out a block, of fewer than 2^56 bytes; call it after. NULL is none. */
static inline void memprof_pool_alloc(memprof_pool pool, const void* block, size_t bytes) {
  if (memprof_found_) memprof_found_->pool_alloc(pool, block, bytes);
}
/* One block goes back to its pool; call it before. */
static inline void memprof_pool_free(memprof_pool pool, const void* block) {
  if (memprof_found_) memprof_found_->pool_free(pool, block);
}
/* All blocks of the pool are free; call it before they are given out again. */
static inline void memprof_pool_reset(memprof_pool pool) {
  if (memprof_found_) memprof_found_->pool_reset(pool);
}
/* The same, and the pool is no more: its number never comes again. */
static inline void memprof_pool_destroy(memprof_pool pool) {
  if (memprof_found_) memprof_found_->pool_destroy(pool);
}

#ifdef __cplusplus
}

namespace memprof {

/* memprof_push_tag() until the end of the block. */
class scoped_tag {
 public:
  explicit scoped_tag(const char* name) { memprof_push_tag(name); }
  ~scoped_tag() { memprof_pop_tag(); }
  scoped_tag(const scoped_tag&) = delete;
  scoped_tag& operator=(const scoped_tag&) = delete;
};

/* memprof_scope_begin() until the end of the block; without numbers, nothing may leak. */
class scope {
 public:
  explicit scope(const char* name, size_t max_leaked_bytes = 0, size_t max_leaked_blocks = 0) {
    memprof_scope_begin(name, max_leaked_bytes, max_leaked_blocks);
  }
  ~scope() { memprof_scope_end(); }
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
};

}  // namespace memprof
#endif
