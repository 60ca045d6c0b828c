// Pools of the client API: blocks that the program carves out of memory which it holds anyway, and gives back together.
//
// The trace has no word for "all of a pool": a pool knows the addresses of its blocks, 8 to 22 bytes each, and its
// reset writes one free for each of them. It knows them also while nothing is recorded.
//
// Invariants:
//   * A pool is used under its lock, which the next one takes over when its holder is no more: a thread that was
//     cancelled, one that fork did not copy, an entry that a longjmp left. For that every step is one store: a table
//     that is left at any point is whole.
//   * A handler that interrupts its own thread in a pool does not get it: what it wants of the pool is a loss (nested).
//   * A pool's number names it for good: the numbers of destroyed ones do not come again.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"
#include "unwind/unwinder.h"

namespace memprof {

// 0: there is no room, or no such domain.
uint64_t create_pool(uint16_t domain, const char* name);
// Without a name.
uint64_t create_pool_in(uint16_t domain, uint16_t user_tag);
void destroy_pool(uint64_t pool, const CapturePoint& caller);
void reset_pool(uint64_t pool, const CapturePoint& caller);
void note_pool_alloc(uint64_t pool, void* block, size_t size_bytes, const CapturePoint& caller);
void note_pool_free(uint64_t pool, void* block, const CapturePoint& caller);

// Of pools that an allocator of the program's makes (foreign_pools.h): who calls records the block. False: lost.
bool keep_in_pool(uint64_t pool, void* block);
// Destroys the pool; its blocks end by `function`.
void end_pool(uint64_t pool, format::Function function, const CapturePoint& caller);

}  // namespace memprof
