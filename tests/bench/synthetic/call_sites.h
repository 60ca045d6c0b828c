// What the program consists of: functions that call each other, each a list of allocations and frees that is the same
// in every call, as code is. Follows from the seed.
#pragma once

#include <cstdint>
#include <vector>

#include "synthetic/random.h"
#include "synthetic/trace_pages.h"

namespace memprof::synthetic {

enum class Life : uint8_t {
  scoped,  // freed by the function itself
  queued,  // freed by the thread, some thousand events later
  passed,  // freed by another thread, later
  kept,    // long-lived: freed at random among as many as shall be live
};

// Where a block is allocated: a stack of its own.
struct Site {
  uint32_t caller;     // function
  uint32_t stack = 0;  // node, when it was first used
  uint32_t size;
  format::Function function;
  Life life = Life::scoped;
  bool size_varies = false;
};

struct Operation {
  enum class Kind : uint8_t { allocate, grow, free };
  Kind kind;
  uint8_t slot;                 // the block's place in the function's frame
  bool is_conditional = false;  // done in one call of two
  uint32_t site = 0;            // not of a free
};

class CallSites {
 public:
  static constexpr size_t kSlots = 16;

  // About `count` sites.
  CallSites(size_t count, Random& random, TracePages& trace);

  struct Body {
    uint32_t begin, end;  // in operations()
  };
  // Of a function; some are called often, most are called seldom (Zipf's law).
  Body pick(Random& random) const;
  const std::vector<Operation>& operations() const { return operations_; }
  Site& site(uint32_t index) { return sites_[index]; }

  // Its stack, written to the thread's stream when it is the first time.
  uint32_t stack_of(uint32_t site, size_t thread, uint64_t ticks);
  size_t stacks_used() const { return stacks_used_; }

 private:
  // A frame on the way to the sites; the callers of callers form a tree about ln(functions) deep.
  struct Function {
    uint32_t caller;
    uint32_t node = 0;
  };

  void make_body(Random& random);
  uint32_t make_site(uint32_t caller, bool is_cxx, bool grows, Random& random);
  uint32_t node_of(uint32_t function, size_t thread, uint64_t ticks);

  TracePages& trace_;
  std::vector<uint32_t> modules_;
  std::vector<Function> functions_;
  std::vector<Site> sites_;
  std::vector<Operation> operations_;
  std::vector<Body> bodies_;
  double log_bodies_ = 0;
  size_t stacks_used_ = 0;
};

}  // namespace memprof::synthetic
