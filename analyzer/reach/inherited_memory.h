// What a forked process had of its parent: a block of the child's may be in use by one of the parent's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reach/live_memory.h"

namespace memprof {

struct InheritedMemory {
  LiveMemory memory;    // when the process was forked; none where it was not
  std::string problem;  // when set, it is not known: why
  // Its parent, the parent's, and so on: of LiveBlock::ancestor 1, 2, ...
  std::vector<std::unique_ptr<const Trace>> ancestors;
  // One of these had threads besides the one that forked: what they did while memory was copied, and what their stacks
  // held, nobody knows.
  bool had_threads = false;
};

// Reads the trace of the parent, and those before it: at the path that the trace names, or beside it.
InheritedMemory read_inherited_memory(const Trace& trace, ProgressSink* progress);

}  // namespace memprof
