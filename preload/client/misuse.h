// What the program gets wrong in its calls of the client API is counted in the trace, and does nothing else.
#pragma once

#include <atomic>

#include "memprof/trace_format.h"
#include "trace_writer/trace_writer.h"

namespace memprof {

inline void count_misuse(format::Misuse what) {
  std::atomic_ref(trace_header->misuses[static_cast<unsigned>(what)]).fetch_add(1, std::memory_order_relaxed);
}

}  // namespace memprof
