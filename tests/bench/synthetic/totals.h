// What is true of the trace, counted as it is made.
#pragma once

#include <cstdint>

namespace memprof::synthetic {

struct Totals {
  uint64_t events = 0;  // a realloc is one
  uint64_t allocations = 0, bytes_allocated = 0;
  uint64_t frees = 0;
  uint64_t temporary = 0;  // freed by the very next event of the same thread
  uint64_t open_chunks = 0, open_bytes = 0;
  uint64_t peak_chunks = 0, peak_bytes = 0;

  void allocate(uint64_t size) {
    ++allocations;
    bytes_allocated += size;
    ++open_chunks;
    open_bytes += size;
    if (open_bytes > peak_bytes) {
      peak_bytes = open_bytes;
      peak_chunks = open_chunks;
    }
  }
  void free(uint64_t size, bool is_temporary) {
    ++frees;
    temporary += is_temporary;
    --open_chunks;
    open_bytes -= size;
  }
};

}  // namespace memprof::synthetic
