#include "recorder/stack_cache.h"

namespace memprof {

void StackCache::keep(const UnwindState& state, Stack& stack, uint32_t node) {
  if (epoch_ != state.epoch_seen) {
    forget();
    epoch_ = state.epoch_seen;
  }
  const StackMemo& memo = state.memo;
  stack.round = 0;
  stack.candidate = 0;
  if (!ends_by_rule(state)) return;
  for (uint32_t i = 0; i < memo.depth; ++i) move_frame(stack.frames[i], memo.frames[i]);
  stack.depth = memo.depth;
  stack.node = node;
  std::atomic_signal_fence(std::memory_order_release);  // a handler may leave this function by longjmp
  stack.round = round_ + 1;
}

}  // namespace memprof
