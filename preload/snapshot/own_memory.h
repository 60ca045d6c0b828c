// The recorder's own memory, which points to nothing of the host's but holds copies of its words.
#pragma once

#include <stdint.h>

#include "platform/own_module.h"
#include "platform/syscalls.h"

namespace memprof {

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
    look_at(own_module_start(), own_module_end());
    sys::visit_own_mappings(look_at);
    if (start < own_start) visit(start, own_start);
    start = own_end;
  }
}

}  // namespace memprof
