// From a hook to a record: stamp, capture, intern, encode, publish.
//
// Invariants: no lock, no system call and no allocation but at page rollover and for a stack never seen; the host's
// errno is never written; a free is recorded before the real free, an allocation after the real allocation.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"
#include "platform/clock.h"
#include "unwind/unwinder.h"

namespace memprof {

using format::Function;

// The caller in three registers instead of memory.
void record_alloc_at(void* block, size_t size_bytes, Function function, uintptr_t pc, uintptr_t sp, uintptr_t bp);
void record_free_at(void* block, Function function, uintptr_t pc, uintptr_t sp, uintptr_t bp);

inline void record_alloc(void* block, size_t size_bytes, Function function, const CapturePoint& caller) {
  record_alloc_at(block, size_bytes, function, caller.pc, caller.sp, caller.bp);
}
inline void record_free(void* block, Function function, const CapturePoint& caller) {
  record_free_at(block, function, caller.pc, caller.sp, caller.bp);
}

// A block that moved, grew or shrank. `begin_ticks` was read before the real call.
void record_realloc(void* old_block, void* new_block, size_t size_bytes, Function function, uint64_t begin_ticks,
                    const CapturePoint& caller);
// A realloc that ended the block (size 0).
void record_realloc_free(void* old_block, Function function, uint64_t begin_ticks, const CapturePoint& caller);

// Of the client API: blocks of a domain that it names, under a tag (client/tags.h; 0: none).
void record_client_alloc(void* block, size_t size_bytes, Function function, uint16_t domain, uint16_t user_tag,
                         const CapturePoint& caller);
void record_client_free(void* block, Function function, uint16_t domain, const CapturePoint& caller);
void record_block_type(void* block, uint16_t domain, uint32_t type);

// A range that is not mapped any more, whole mappings or parts of them.
void record_unmapped(void* start, size_t size_bytes, Function function, uint64_t begin_ticks,
                     const CapturePoint& caller);

}  // namespace memprof
