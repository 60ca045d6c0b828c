// What /proc/self/task says of the threads of this process. One thread at a time: the text of a file is kept in one
// place.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/syscalls.h"

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

// Of getdents64.
struct DirectoryEntry {
  uint64_t inode, offset;
  uint16_t bytes;
  unsigned char type;
  char name[1];
};

// Calls `visit(id)` for each thread while it returns true. False: /proc does not say, or it returned false.
template <class Visit>
bool visit_threads(Visit&& visit) {
  const long opened = sys::open_file("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return false;
  alignas(DirectoryEntry) char text[1024];
  long bytes;
  bool good = true;
  while (good && (bytes = sys::call(SYS_getdents64, opened, sys::arg(text), sizeof(text))) > 0) {
    for (long at = 0; good && at < bytes;) {
      const auto* const entry = reinterpret_cast<const DirectoryEntry*>(text + at);
      at += entry->bytes;
      uint32_t thread = 0;
      for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; ++digit)
        thread = thread * 10 + static_cast<uint32_t>(*digit - '0');
      if (thread != 0) good = visit(thread);
    }
  }
  sys::close_file(static_cast<int>(opened));
  return good && bytes == 0;
}

}  // namespace memprof
