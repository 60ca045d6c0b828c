// What a fork does not give to the child (MADV_DONTFORK, MADV_WIPEONFORK), where the program keeps such: copies of it,
// which come over as memory of the recorder's, and lie where the originals lay in the snapshot's child alone.
//
// And whether a fork would wait for the program: a userfaultfd that tells of forks holds it up until a thread of the
// program's reads that, which may be one that stands still.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "snapshot/growing_array.h"

namespace memprof {

// The program has asked for it; told by the hook of madvise.
void note_unforked_memory();

class UnforkedMemory {
 public:
  // Before the fork, while the other threads stand still. False: no memory for it, more of it than is copied, or /proc
  // does not say.
  bool keep();
  // In the child.
  bool put_back() const;
  // In the process, behind the fork.
  void give_back();

 private:
  struct Part {
    uintptr_t start;
    size_t bytes;
    void* copy;
  };
  bool keep_mapping(uintptr_t start, uintptr_t end, bool is_shared);

  GrowingArray<Part> parts_;
  size_t bytes_ = 0;
};

// A fork waits until the program has read of it.
bool is_fork_watched();

}  // namespace memprof
