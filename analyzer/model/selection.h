// Which blocks a question is about, and which time. Every analysis of a Trace follows the trace's selection.
//
// Time. [from_ns, to_ns), counted as the reports count: since the start of the trace. The numbers are those of a
// recording that ran in the window alone and knew what was open when it began:
//   open          allocated before to_ns (also before from_ns), not ended before to_ns
//   allocations   in the window; frees, closed, temporary, orphaned, mismatched: ended in the window
//   open at start what was open at from_ns: allocations + open at start = open + closed
//   peak          the highest moment in the window; from_ns itself is one
// A block that ends after the window is open.
//
// Blocks. All conditions must hold. Those of the first group are known when a block is allocated; those of the second
// ask for its fate, as it is at the end of the window, and cost a second pass over the events. Blocks that are not
// chosen count in no number, but still take part in pairing.
// Orphans have no allocation: they are chosen when nothing but time, domain, tag, thread (both of the free) and state
// is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "trace/stack_nodes.h"

namespace memprof {

struct Thread;

enum class BlockState : uint8_t { open, closed, orphaned };

struct Selection {
  static constexpr uint64_t kNoLimit = UINT64_MAX;

  uint64_t from_ns = 0;
  uint64_t to_ns = kNoLimit;

  // Null: all. Each is asked once for a thread, a tag, a canonical stack; `stack` when it is first met.
  std::function<bool(const Thread&)> thread;
  std::function<bool(uint16_t tag)> tag;
  std::function<bool(StackId stack)> stack;
  uint64_t least_size = 0, most_size = kNoLimit;  // both included

  // From allocation to end; of an open block, to the end of the window or of the trace: what it has lived so far.
  uint64_t least_lifetime_ns = 0, most_lifetime_ns = kNoLimit;
  std::optional<bool> temporary;
  std::optional<BlockState> state;
  std::optional<uint64_t> alive_at_ns;  // allocated then or before, ended after it

  bool has_window() const { return from_ns != 0 || to_ns != kNoLimit; }
  bool asks_for_allocation() const { return thread || tag || stack || least_size != 0 || most_size != kNoLimit; }
  bool asks_for_fate() const {
    return least_lifetime_ns != 0 || most_lifetime_ns != kNoLimit || temporary || state || alive_at_ns;
  }
  bool is_everything() const { return !has_window() && !asks_for_allocation() && !asks_for_fate(); }
};

}  // namespace memprof
