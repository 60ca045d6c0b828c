// The walk from the leaf, and where it meets the remembered stack.
#include "unwind/unwinder.h"
#include "unwind/walk.h"

#include <atomic>

namespace memprof {
namespace {

// Modules: the low half counts changes that are complete, the high half those under way.
constexpr uint64_t kOneChanging = uint64_t{1} << 32;
constinit std::atomic<uint64_t> modules{0};

uint64_t after_a_change(uint64_t before) {
  const uint64_t changing = before >> 32;
  return (changing == 0 ? 0 : changing - 1) << 32 | ((before + 1) & 0xffffffff);
}

__attribute__((noinline, cold)) void forget_modules(UnwindState& state, uint64_t now) {
  state.memo.depth = 0;
  state.pages.forget();
  state.rules.forget();
  std::atomic_signal_fence(std::memory_order_release);  // if a handler leaves by longjmp, it is all done again
  // While a change is under way the number stays unseen, so that the next capture forgets again.
  state.modules_seen = now < kOneChanging ? now : ~uint64_t{0};
}

// Finds which of the remembered frames stay, and collects the frames inside them. All in registers: nothing takes this
// object's address.
class Capture {
 public:
  Capture(UnwindState& state, uint32_t depth, uint32_t max_depth)
      : state_(state), frames_(state.memo.frames), max_depth_(max_depth), kept_(depth) {}

  // False: the fast walk cannot follow this stack.
  bool run(const CapturePoint& point) {
    Walk at{point.pc, point.sp, point.bp, broken_link(point.bp, false), point.sp - sizeof(uintptr_t)};
    Step step = Step::stepped;
    for (;;) {
      while (kept_ > 0 && frames_[kept_ - 1].sp < at.sp) --kept_;
      if (kept_ > 0 && at.is_at(frames_[kept_ - 1])) {
        if (reuse(at, step)) break;
      } else {
        push(at.pc, at.sp, at.bp, at.bp_slot);
        step = step_outward(state_, at);
      }
      if (step != Step::stepped || count_ == max_depth_) {
        kept_ = 0;
        break;
      }
    }
    if (__builtin_expect(step == Step::unknown_register, 0)) return false;
    finish(step);
    return true;
  }

 private:
  // The walk is at the innermost remembered frame. True: the rest of the stack is as remembered. Else the frames that
  // are proved have been taken over as if walked. `at` and `step` are the result of the step out of the last of them.
  __attribute__((always_inline)) bool reuse(Walk& at, Step& step) {
    place(frames_[kept_ - 1], at.pc, at.sp, at.bp, at.bp_slot);  // its inner neighbour may be another one now
    for (Frame* proved = &frames_[kept_ - 1];;) {
      proved = prove_outward(proved, frames_);
      at = {proved->pc, proved->sp, proved->bp, free_link(*proved), at.readable};
      const bool all = proved == frames_;
      if (all && count_ + kept_ > max_depth_) return true;
      step = step_outward(state_, at);
      // The end is decided anew: code may have got CFI, the word at a fiber's end may have changed.
      if (all && (step != Step::stepped || count_ + kept_ == max_depth_)) return true;
      // Not a plain link, but it may lead to the same frame.
      if (all || step != Step::stepped || !at.is_at(proved[-1])) {
        return !take_over(static_cast<uint32_t>(proved - frames_), step);
      }
      --proved;
      place(*proved, at.pc, at.sp, at.bp, at.bp_slot);
    }
  }

  // frames_[from .. kept_) count as walked. False: they are more than fit, so that the walk ends here.
  bool take_over(uint32_t from, Step& step) {
    while (kept_ > from && count_ < max_depth_) {
      const Frame& frame = frames_[--kept_];
      push(frame.pc, frame.sp, frame.bp, free_link(frame));
    }
    if (kept_ == from) return true;
    kept_ = 0;
    step = Step::stepped;
    return false;
  }

  void push(uintptr_t pc, uintptr_t sp, uintptr_t bp, const StackWord* bp_slot) {
    state_.fresh[count_++] = {pc, sp, bp, bp_slot};
  }

  // All remembered frames are proved, but with the new ones they are too many: the outermost go.
  __attribute__((noinline)) static void drop_outermost(Frame* frames, uint32_t dropped, uint32_t end) {
    for (uint32_t i = dropped; i < end; ++i) {
      const Frame& frame = frames[i];
      place(frames[i - dropped], frame.pc, frame.sp, frame.bp, free_link(frame));
    }
  }

  void finish(Step step) {
    uint32_t unchanged = kept_;
    if (__builtin_expect(kept_ + count_ > max_depth_, 0)) {
      const uint32_t dropped = kept_ + count_ - max_depth_;
      drop_outermost(frames_, dropped, kept_);
      kept_ -= dropped;
      unchanged = 0;
      step = Step::stepped;
    }
    const uint32_t depth = kept_ + count_;
    for (uint32_t i = 0; i < count_; ++i) {
      const Frame& frame = state_.fresh[i];
      place(frames_[depth - 1 - i], frame.pc, frame.sp, frame.bp, frame.bp_slot);
    }
    state_.memo.unchanged = unchanged;
    state_.memo.end = step == Step::stepped ? StackEnd::depth_limit
                      : step == Step::whole ? StackEnd::whole
                                            : StackEnd::gave_up;
    std::atomic_signal_fence(std::memory_order_release);
    state_.memo.depth = depth;  // last: before it the memo is empty, whoever leaves this function early
  }

  UnwindState& state_;
  Frame* frames_;
  uint32_t max_depth_;
  uint32_t kept_;       // frames_[0 .. kept_) may still be met
  uint32_t count_ = 0;  // frames in state_.fresh
};

__attribute__((noinline, cold)) void capture_slowly(UnwindState& state, const CapturePoint& point, uint32_t max_depth) {
  StackEnd end = StackEnd::gave_up;
  const uint32_t depth = walk_all_registers(state, point, max_depth, end);
  StackMemo& memo = state.memo;
  for (uint32_t i = 0; i < depth; ++i) memo.frames[depth - 1 - i] = state.fresh[i];
  memo.unchanged = 0;
  memo.end = end;
  std::atomic_signal_fence(std::memory_order_release);
  memo.depth = depth;
}

}  // namespace

void capture(UnwindState& state, const CapturePoint& point, uint32_t max_depth) {
  const uint64_t now = modules.load(std::memory_order_acquire);  // pairs with the releases of note_modules_*
  if (__builtin_expect(now != state.modules_seen, 0)) forget_modules(state, now);
  const uint32_t depth = state.memo.depth;
  state.memo.depth = 0;
  std::atomic_signal_fence(std::memory_order_acquire);
  if (!Capture(state, depth, max_depth).run(point)) capture_slowly(state, point, max_depth);
}

void forget_stack(UnwindState& state) {
  state.memo.depth = 0;
  state.memo.unchanged = 0;
}

void note_modules_changing() { modules.fetch_add(kOneChanging, std::memory_order_acq_rel); }

void note_modules_changed() {
  uint64_t before = modules.load(std::memory_order_relaxed);
  while (!modules.compare_exchange_weak(before, after_a_change(before), std::memory_order_acq_rel)) {
  }
}

void forget_module_changes() {
  modules.store((modules.load(std::memory_order_relaxed) + 1) & 0xffffffff, std::memory_order_release);
}

}  // namespace memprof
