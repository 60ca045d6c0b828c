// The walk from the leaf, and where it meets the remembered stack.
#include "unwind/same_stack.h"
#include "unwind/unwinder.h"
#include "unwind/walk.h"

namespace memprof {

constinit std::atomic<uint64_t> stack_epoch{0};

namespace {

// The low half counts changes that are complete, the high half those under way.
constexpr uint64_t kOneChanging = uint64_t{1} << 32;
constinit std::atomic<uint64_t> module_changes{0};

uint64_t after_a_change(uint64_t before) {
  const uint64_t changing = before >> 32;
  return (changing == 0 ? 0 : changing - 1) << 32 | ((before + 1) & 0xffffffff);
}

void begin_epoch() { stack_epoch.fetch_add(1, std::memory_order_acq_rel); }

__attribute__((noinline, cold)) void forget_old_epoch(UnwindState& state, uint64_t now) {
  state.memo.depth = 0;
  state.pages.forget();
  const uint64_t modules = module_changes.load(std::memory_order_acquire);  // pairs with the releases of note_modules_*
  const bool is_changing = modules >= kOneChanging;
  if (modules != state.modules_seen) state.rules.forget();
  std::atomic_signal_fence(std::memory_order_release);  // if a handler leaves by longjmp, it is all done again
  // While a change is under way nothing is seen, so that the next capture forgets again.
  state.modules_seen = is_changing ? kNoEpoch : modules;
  state.epoch_seen = is_changing ? kNoEpoch : now;
}

// A capture under way. Frames that are not remembered are collected in state.fresh, from its end downwards, so that
// they lie there in the memo's order.
struct Progress {
  Walk at;
  Frame* met;    // the innermost remembered frame that may still be met; one before the first: none
  Frame* fresh;  // the outermost frame collected
};

enum class Stop : uint8_t {
  met,       // `at` is the remembered frame `met`
  pushed,    // `at` is collected, but stepping out of it takes more than a plain rule and a page already read
  full,      // as many frames as may be; `at` is the next one
  returned,  // `at` is no frame: the return address was 0
};

// Collects frames outward for as long as they are plain. Calls nothing, so that all of it stays in registers.
__attribute__((noinline)) MEMPROF_READS_STACK Stop walk_plain(const UnwindState& state, Progress& progress,
                                                              const Frame* first, const Frame* full) {
  Walk at = progress.at;
  Frame* met = progress.met;
  Frame* fresh = progress.fresh;
  const uintptr_t end = state.pages.end_above(at.sp);
  Stop stop;
  for (;;) {
    while (met >= first && met->sp < at.sp) --met;
    if (met >= first && at.is_at(*met)) {
      stop = Stop::met;
      break;
    }
    --fresh;
    fresh->pc = at.pc;
    fresh->sp = at.sp;
    fresh->bp = at.bp;
    fresh->bp_slot = at.bp_slot;
    fresh->bp_use = BpUse::reads;
    stop = Stop::pushed;
    const RuleTable::Entry entry = state.rules.look_up(at.pc);
    if (__builtin_expect(!entry.is_hit(), 0)) break;
    fresh->bp_use = entry.rule().bp_use();
    if (__builtin_expect(!entry.rule().is_plain(), 0)) break;
    const PlainStep step(at, entry.rule());
    if (__builtin_expect(!step.is_below(end, at), 0)) break;
    step.take(at);
    if (__builtin_expect(at.pc == 0, 0)) {
      stop = Stop::returned;
      break;
    }
    if (__builtin_expect(fresh == full, 0)) {
      stop = Stop::full;
      break;
    }
  }
  progress = {at, met, fresh};
  return stop;
}

// Finds which of the remembered frames stay, and collects the frames inside them.
class Capture {
 public:
  Capture(UnwindState& state, uint32_t depth, uint32_t max_depth)
      : state_(state), max_depth_(max_depth), full_(fresh_end() - max_depth) {
    progress_.met = frames() + depth - 1;
    progress_.fresh = fresh_end();
  }

  // False: the fast walk cannot follow this stack.
  bool run(const CapturePoint& point) {
    Walk& at = progress_.at;
    at = start_of(point);
    Step step = Step::stepped;
    for (;;) {
      switch (walk_plain(state_, progress_, frames(), full_)) {
        case Stop::met:
          switch (reuse(step)) {
            case Reuse::rest: return finish(step);
            case Reuse::part: break;
            case Reuse::unknown_bp:
              // Again from the leaf, without the frames up to the one that is not where it was.
              at = start_of(point);
              progress_.fresh = fresh_end();
              step = Step::stepped;
              break;
          }
          break;
        case Stop::pushed: step = step_outward(state_, at); break;
        case Stop::full: break;
        case Stop::returned: step = Step::whole; break;
      }
      if (step != Step::stepped || progress_.fresh == full_) break;
    }
    if (__builtin_expect(step == Step::unknown_register, 0)) return false;
    progress_.met = frames() - 1;
    return finish(step);
  }

 private:
  enum class Reuse : uint8_t {
    rest,        // the rest of the stack is as remembered
    part,        // frames that are proved were taken over; at and step are the result of the step out of the last one
    unknown_bp,  // frames that are proved, up to one whose caller is another and may depend on a bp that is not known
  };

  static constexpr uintptr_t kMostFrameBytes = 256 * 1024;  // a step further than this may be one to another stack
  static Walk start_of(const CapturePoint& point) { return {point.pc, point.sp, point.bp, broken_link(point.bp)}; }
  Frame* frames() const { return state_.memo.frames; }
  Frame* fresh_end() const { return state_.fresh + kMaxDepth; }
  uint32_t kept() const { return static_cast<uint32_t>(progress_.met + 1 - frames()); }
  uint32_t collected() const { return static_cast<uint32_t>(fresh_end() - progress_.fresh); }

  // The walk is at a remembered frame.
  Reuse reuse(Step& step) {
    Walk& at = progress_.at;
    set_link(*progress_.met, at.bp, at.bp_slot);  // its inner neighbour may be another one now
    for (Frame* proved = progress_.met;;) {
      proved = prove_outward(proved, frames());
      at = {proved->pc, proved->sp, proved->bp, free_link(*proved)};
      const bool all = proved == frames();
      if (all && collected() + kept() > max_depth_) return Reuse::rest;
      step = step_outward(state_, at);
      // The end is decided anew: code may have got CFI, the word at a fiber's end may have changed.
      if (all && (step != Step::stepped || collected() + kept() == max_depth_)) return Reuse::rest;
      if (step == Step::stepped && at.bp_slot == nullptr && !proved->is_bp_live) {
        progress_.met = proved - 1;
        return Reuse::unknown_bp;
      }
      // Not a plain link, but it may lead to the same frame.
      if (all || step != Step::stepped || !at.is_at(proved[-1])) {
        take_over(proved, step);
        return Reuse::part;
      }
      --proved;
      set_link(*proved, at.bp, at.bp_slot);
    }
  }

  // The frames from `outermost` inward count as walked. Where they are more than fit, the walk ends here.
  void take_over(const Frame* outermost, Step& step) {
    while (progress_.met >= outermost && progress_.fresh != full_) {
      const Frame& frame = *progress_.met--;
      *--progress_.fresh = {frame.pc, frame.sp, frame.bp, free_link(frame), frame.bp_use, false};
    }
    if (progress_.met >= outermost) step = Step::stepped;
  }

  // All remembered frames are proved, but with the new ones they are too many: the outermost go.
  __attribute__((noinline)) void drop_outermost(uint32_t dropped) {
    for (Frame* frame = frames() + dropped; frame <= progress_.met; ++frame) {
      move_frame(frame[-static_cast<ptrdiff_t>(dropped)], *frame);
    }
    progress_.met -= dropped;
  }

  // Where the stack of the leaf ends: at the outermost frame, or where the walk went to another stack.
  __attribute__((noinline)) void note_top(const Frame* leaf, Step step) {
    const auto is_near = [](uintptr_t inner, uintptr_t outer) { return outer - inner <= kMostFrameBytes; };
    const Frame* frame = leaf;
    while (frame != frames() && is_near(frame->sp, frame[-1].sp)) --frame;
    // The return address 0 of the outermost frame lies outside its stack pointer.
    const bool has_end = frame == frames() && step == Step::whole && is_near(frame->sp, progress_.at.sp);
    state_.pages.note_top(leaf->sp, has_end ? progress_.at.sp : frame->sp);
  }

  bool finish(Step step) {
    uint32_t unchanged = kept();
    if (__builtin_expect(kept() + collected() > max_depth_, 0)) {
      drop_outermost(kept() + collected() - max_depth_);
      unchanged = 0;
      step = Step::stepped;
    }
    // What lies outside the outermost frame of a stack that does not end there is not known.
    bool is_live = kept() == 0 ? step != Step::whole : progress_.met->is_bp_live;
    Frame* to = progress_.met + 1;
    for (const Frame* from = progress_.fresh; from != fresh_end(); ++from, ++to) {
      is_live = is_bp_live(from->bp_use, is_live);
      to->pc = from->pc;
      to->sp = from->sp;
      to->bp_use = from->bp_use;
      to->is_bp_live = is_live;
      set_link(*to, from->bp, from->bp_slot);
    }
    if (step != Step::gave_up && state_.pages.end_above(to[-1].sp) == 0) note_top(to - 1, step);
    state_.memo.unchanged = unchanged;
    state_.memo.end = step == Step::stepped ? StackEnd::depth_limit
                      : step == Step::whole ? StackEnd::whole
                                            : StackEnd::gave_up;
    std::atomic_signal_fence(std::memory_order_release);
    // Last: before it the memo is empty, whoever leaves this function early.
    state_.memo.depth = static_cast<uint32_t>(to - frames());
    return true;
  }

  UnwindState& state_;
  uint32_t max_depth_;
  Frame* full_;  // no frame is collected below it
  Progress progress_;
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
  const uint64_t now = stack_epoch.load(std::memory_order_acquire);  // pairs with the release in begin_epoch
  if (__builtin_expect(now != state.epoch_seen, 0)) forget_old_epoch(state, now);
  // A stack without a proper end may have led into memory that is gone: its links are not followed blindly.
  const uint32_t depth = state.memo.end != StackEnd::gave_up ? state.memo.depth : 0;
  state.memo.depth = 0;
  std::atomic_signal_fence(std::memory_order_acquire);
  state.pages.begin_walk(point.sp);
  if (!Capture(state, depth, max_depth).run(point)) capture_slowly(state, point, max_depth);
}

void forget_stack(UnwindState& state) {
  state.memo.depth = 0;
  state.memo.unchanged = 0;
}

void note_modules_changing() {
  module_changes.fetch_add(kOneChanging, std::memory_order_acq_rel);
  begin_epoch();
}

void note_modules_changed() {
  uint64_t before = module_changes.load(std::memory_order_relaxed);
  while (!module_changes.compare_exchange_weak(before, after_a_change(before), std::memory_order_acq_rel)) {
  }
  begin_epoch();
}

void forget_module_changes() {
  module_changes.store((module_changes.load(std::memory_order_relaxed) + 1) & 0xffffffff, std::memory_order_release);
  begin_epoch();
}

void note_unreadable(const void* start, size_t bytes) {
  forget_readable_memory(reinterpret_cast<uintptr_t>(start), bytes);
  if (may_hold_stack(reinterpret_cast<uintptr_t>(start), bytes)) begin_epoch();
}

}  // namespace memprof
