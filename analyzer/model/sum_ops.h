// What pairing tells of the open sums, in the order in which they change: applied to the sites by whoever adds them up,
// another thread where there is one.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/stack_nodes.h"

namespace memprof {

struct SumOp {
  enum class Kind : uint8_t {
    site,              // nothing but that its site is the next where there is none yet
    allocated,         // bytes and a block more
    closed,            // bytes and a block less
    closed_temporary,  // the same, of a temporary block
    reopened,          // bytes and a block more that had been closed: it was another block that ended
    shrunk,            // bytes less of a block that stays
    carried,           // bytes and a block more, allocated before the window
    temporary,         // a block closed before was a temporary one
    stamp,  // `ticks` is the stamp of the allocation that comes next, whose own are those of the latest event
  };

  uint64_t bytes;
  uint64_t ticks;   // of the latest event: never goes back
  StackId stack;    // as in the trace; that allocated the block
  uint32_t thread;  // index; that allocated the block
  uint16_t tag;     // of the allocation
  uint16_t domain;  // index
  Kind kind;
};
static_assert(sizeof(SumOp) == 32);

using SumOps = std::vector<SumOp>;

}  // namespace memprof
