// The stacks that a thread's allocations had lately, each with its node, found by the state of their leaf and by a
// guess at the node, as one leaf has many callers. Most allocations have one of them: then no frame is stepped, and the
// trie is not asked.
//
// Invariants:
//   * A hit is proved as the memo is (unwind/frame.h): the leaf's state is the same, and then frame by frame outward,
//     by two loads each. Where one fails, nothing is known, and the stack is walked.
//   * Only stacks that end where the CFI says so are kept: such an end needs no load.
//   * What was learned in an older epoch (unwind/same_stack.h) is not used.
#pragma once

#include "memprof/trace_format.h"
#include "unwind/same_stack.h"
#include "unwind/unwinder.h"

namespace memprof {

class StackCache {
 public:
  static constexpr uint32_t kStacks = 256;  // a power of 2
  static constexpr uint32_t kMostFrames = 48;

  // All zero: empty.
  struct Stack {
    uint64_t candidate;  // the leaf that was last looked for in vain
    uint64_t round;      // the stack is there if this is the cache's round + 1
    uint32_t depth;
    uint32_t node;
    Frame frames[kMostFrames];  // outermost first
  };

  // The stack of `point`, or nullptr. Any guess is right; the same one finds what was learned with it.
  __attribute__((always_inline)) const Stack* find(const CapturePoint& point, uint32_t guess) const {
    const Stack& stack = stacks_[hash_of(point, guess) >> kShift];
    // acquire: pairs with the release of who begins an epoch
    const bool is_valid = stack.round == round_ + 1 && stack_epoch.load(std::memory_order_acquire) == epoch_;
    if (!is_valid) return nullptr;
    return is_same_stack(stack.frames, stack.depth, point) ? &stack : nullptr;
  }

  // `state.memo` was just captured from `point`, and has this node. Kept when it comes for the second time, as copying
  // costs more than walking a stack that comes once.
  void learn(const UnwindState& state, const CapturePoint& point, uint32_t guess, uint32_t node) {
    const uint64_t hash = hash_of(point, guess);
    Stack& stack = stacks_[hash >> kShift];
    if (stack.candidate != hash) {
      stack.candidate = hash;
      return;
    }
    if (state.memo.depth <= kMostFrames) keep(state, stack, node);
  }

  // Without touching the stacks: a thread pays for those that it has.
  void forget() { ++round_; }

 private:
  static constexpr unsigned kShift = 64 - __builtin_ctz(kStacks);
  static uint64_t hash_of(const CapturePoint& point, uint32_t guess) {
    return (point.pc ^ point.sp << 20 ^ uint64_t{guess} << 40) * 0x9E3779B97F4A7C15;
  }
  void keep(const UnwindState& state, Stack& stack, uint32_t node);

  uint64_t epoch_;  // stack_epoch when the stacks were kept
  uint64_t round_;
  Stack stacks_[kStacks];
};

}  // namespace memprof
