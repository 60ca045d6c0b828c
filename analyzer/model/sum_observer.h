// Hears of every change of what is open, in the order in which the sums change: the order of the clock, up to the
// blocks in dispute. The calls come one after the other, from any thread.
#pragma once

#include <cstdint>

#include "trace/stack_nodes.h"

namespace memprof {

struct SumChange {
  enum class Kind : uint8_t {
    allocated,  // bytes and a block more
    closed,     // bytes and a block less
    reopened,   // bytes and a block more that had been closed: it was another block that ended
    shrunk,     // bytes less of a block that stays
    carried,    // bytes and a block more: open when the window of the analysis began
  };

  uint16_t domain;  // index
  Kind kind;
  uint32_t thread;       // index; that allocated the block
  StackId stack;         // canonical; that allocated the block
  uint64_t ticks;        // of the latest event: never goes back
  uint64_t alloc_ticks;  // of `allocated`
  uint64_t bytes;

  bool is_more() const { return kind == Kind::allocated || kind == Kind::reopened || kind == Kind::carried; }
};

class SumObserver {
 public:
  virtual ~SumObserver() = default;
  virtual void changed(const SumChange& change) = 0;
};

}  // namespace memprof
