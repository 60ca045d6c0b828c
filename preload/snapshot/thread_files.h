// What /proc/self/task says of the threads of this process. One thread at a time: the text of a file is kept in one
// place.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/syscalls.h"
#include "snapshot/proc_text.h"

namespace memprof {

struct ThreadStatus {
  bool is_alive;
  sys::SignalSet blocked;  // or waited for: the kernel unblocks these meanwhile
};
// The system call that a thread sleeps in; number -1: none.
struct CallUnderWay {
  long number;
  uint64_t first_argument, end;
};

CallUnderWay call_of_thread(uint32_t thread);
ThreadStatus status_of_thread(uint32_t thread, const CallUnderWay& call);

// Calls `visit(id)` for each thread while it returns true. False: /proc does not say, or it returned false.
template <class Visit>
bool visit_threads(Visit&& visit) {
  return visit_numbers("/proc/self/task", visit);
}

}  // namespace memprof
