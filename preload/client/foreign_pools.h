// Pools of an allocator that the program uses, APR's say: which of ours stands for which of its.
//
// Thread-safe and async-signal-safe. A pool begins with its first block.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"
#include "unwind/unwinder.h"

namespace memprof {

// `pool` is what the allocator knows it by, and not 0.
void note_foreign_pool_alloc(uint64_t pool, void* block, size_t size_bytes, format::Function function,
                             const CapturePoint& caller);
// All blocks of the pool end by `function`.
void end_foreign_pool(uint64_t pool, format::Function function, const CapturePoint& caller);

}  // namespace memprof
