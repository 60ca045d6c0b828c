// The recorder's own memory, which points to nothing of the host's but holds copies of its words.
#pragma once

#include <stdint.h>

#include "platform/syscalls.h"

namespace memprof {

extern "C" {
// The linker's: where this library begins and ends.
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char _end __attribute__((visibility("hidden")));
}

// visit(start, end) for each part of the range that is not the recorder's, in the order of addresses.
template <class Visit>
void visit_foreign_memory(uintptr_t start, uintptr_t end, Visit&& visit) {
  while (start < end) {
    // The next own range that lies in it.
    uintptr_t own_start = end, own_end = end;
    const auto look_at = [&](uintptr_t from, uintptr_t to) {
      if (to <= start || from >= own_start) return;
      own_start = from < start ? start : from;
      own_end = to;
    };
    look_at(reinterpret_cast<uintptr_t>(&__ehdr_start), reinterpret_cast<uintptr_t>(&_end));
    sys::visit_own_mappings(look_at);
    if (start < own_start) visit(start, own_start);
    start = own_end;
  }
}

}  // namespace memprof
