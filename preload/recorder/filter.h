// MEMPROF_FILTER: which allocations are recorded. Conditions joined by commas must all hold; values joined by bars
// are alternatives: domain=cpu|mmap,allocator=malloc|new,size>=4096. The text is folded into one allowed flag per
// function and one size interval, so that the test per event is a load and two comparisons.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

struct Filter {
  bool active = false;
  bool paused = false;  // by the client API: nothing but frees is recorded
  bool denied[format::kFunctionCount] = {};
  uint64_t least_bytes = 0;
  uint64_t most_bytes = UINT64_MAX;

  bool accepts(format::Function function, uint64_t bytes) const {
    if (paused) return false;
    if (!active) return true;
    return !denied[static_cast<unsigned>(function)] && bytes >= least_bytes && bytes <= most_bytes;
  }
};

// False when the text is not a filter; *out may then be half changed. `memalign` stands for all aligned functions
// (memalign aligned_alloc posix_memalign valloc pvalloc), `jemalloc` for jemalloc's own API.
bool parse_filter(const char* text, Filter* out);

// Bytes, or with K, M, G (powers of 1024). False when it is no such size or does not fit.
bool parse_size(const char* text, uint64_t* out);

}  // namespace memprof
