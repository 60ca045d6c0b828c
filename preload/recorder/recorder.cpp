#include "recorder/recorder.h"

#include "allocators/defined_functions.h"
#include "client/tags.h"
#include "lifecycle/gate.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/settings.h"
#include "recorder/functions.h"
#include "recorder/stack_check.h"
#include "samples/sampler.h"
#include "thread_state/thread_state.h"

namespace memprof {
namespace {

inline ThreadState* enter() {
  ThreadState* state = current_state;
  if (__builtin_expect(state != nullptr, 1) && state->busy == Busy::idle &&
      state->generation == recording_control->generation) {
    state->busy = Busy::entered;
    std::atomic_signal_fence(std::memory_order_acquire);  // a handler on this thread sees busy before any change
    state->entered_at = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    return state;
  }
  return enter_slowly();
}

inline void leave(ThreadState* state) {
  std::atomic_signal_fence(std::memory_order_release);
  state->busy = Busy::idle;
}

// An allocator may map memory with its lock held: loading libunwind would allocate below it.
inline bool is_to_be_checked(Function function) {
  return __builtin_expect(settings.verify_stacks != 0, 0) && !is_mapping_function(function);
}

__attribute__((noinline)) uint32_t take_changed_stack(ThreadState* state, const CapturePoint& caller,
                                                      Function function) {
  const uint32_t guess = state->encoder.expected_stack();
  prefetch_node(guess);
  capture(state->unwind, caller, settings.max_depth);
  keep_unchanged(state->unwind.memo, state->path);
  const uint32_t stack = intern_stack(state->unwind.memo, state->path, state->nodes, guess);
  if (stack != format::kNoStack) state->stacks.learn(state->unwind, caller, guess, stack);
  if (is_to_be_checked(function)) check_stack(*state, view_of(state->unwind.memo), stack, caller);
  return stack;
}

// The stack's node; kNoStack: the event is lost.
__attribute__((always_inline)) inline uint32_t take_stack(ThreadState* state, const CapturePoint& caller,
                                                          Function function) {
  const StackCache::Stack* known = state->stacks.find(caller, state->encoder.expected_stack());
  if (__builtin_expect(known == nullptr, 0)) return take_changed_stack(state, caller, function);
  if (is_to_be_checked(function)) {
    check_stack(*state, {known->frames, known->depth, StackEnd::whole}, known->node, caller);
  }
  return known->node;
}

// A page is full, or there is none yet: the next one starts no later than this event, whose stamp is older than the
// page.
__attribute__((noinline, cold)) bool roll_page(ThreadState* state, uint64_t first_ticks) {
  open_gate_after_guest();
  const uint64_t first_units = EventEncoder::units_down(first_ticks);
  const uint64_t start_units = state->encoder.time() > first_units ? state->encoder.time() : first_units;
  if (!state->events.roll(format::StreamKind::events, state->stream_id, state->thread_serial, state->thread_id,
                          start_units)) {
    return false;
  }
  state->encoder.restart(state->events.start_units(), trace_header->size_bias);
  sample_if_due();
  return true;
}

// This event is counted, not written, and when recording is over all that follow are.
__attribute__((noinline, cold)) void lose_event() {
  count_dropped(stop_cause());
  if (is_over()) go_idle();
}

template <typename Encode>
inline void write_event(ThreadState* state, uint64_t first_ticks, Encode encode) {
  state->busy = Busy::writing;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // a handler that abandons us sees how far we were
  if (__builtin_expect(!state->events.has_room(EventEncoder::kMostBytes), 0) && !roll_page(state, first_ticks)) {
    lose_event();
    return;
  }
  state->events.publish(encode(state->encoder, state->events.at()));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  state->busy = Busy::written;
}

inline bool is_wanted(Function function, size_t size_bytes) {
  const Filter& filter = settings.filter;
  return filter.accepts(function, size_bytes, filter.active && is_under_filtered_tag());
}

inline uint64_t address_of(const void* block) { return reinterpret_cast<uint64_t>(block); }

// `tag()` is asked when the trace is there: it may have to be told of a new one.
template <typename Tag>
__attribute__((always_inline)) inline void write_alloc(void* block, size_t size_bytes, Function function,
                                                       const CapturePoint& caller, Tag tag) {
  ThreadState* state = enter();
  if (state == nullptr) return;
  const uint64_t ticks = read_ticks();
  const uint32_t stack = take_stack(state, caller, function);
  if (__builtin_expect(stack == format::kNoStack, 0)) {
    lose_event();
    leave(state);
    return;
  }
  write_event(state, ticks, [&](EventEncoder& encoder, unsigned char* at) {
    return encoder.alloc(at, ticks, address_of(block), size_bytes, stack, tag());
  });
  leave(state);
}

template <typename Tag>
__attribute__((always_inline)) inline void write_free(void* block, size_t size_bytes, Function function, uint64_t ticks,
                                                      const CapturePoint& caller, Tag tag) {
  ThreadState* state = enter();
  if (state == nullptr) return;
  const uint32_t stack = settings.free_stacks ? take_stack(state, caller, function) : format::kNoStack;
  write_event(state, ticks, [&](EventEncoder& encoder, unsigned char* at) {
    return encoder.free(at, ticks, address_of(block), size_bytes, stack, tag());
  });
  leave(state);
}

__attribute__((always_inline)) inline void write_free(void* block, size_t size_bytes, Function function, uint64_t ticks,
                                                      const CapturePoint& caller) {
  write_free(block, size_bytes, function, ticks, caller, [function] {
    if (__builtin_expect(is_defined_function(function), 0)) tell_function(function);
    return static_cast<uint16_t>(function);
  });
}

// A client's block has one, or is not recorded. Asked when the trace is there: it may have to be told of a new one.
uint16_t client_tag(Function function, uint16_t domain, uint16_t user_tag) {
  ThreadState* state = enter();
  if (state == nullptr) return 0;
  const uint16_t tag = tag_of(function, domain, user_tag);
  leave(state);
  return tag;
}

}  // namespace

void record_alloc_at(void* block, size_t size_bytes, Function function, uintptr_t pc, uintptr_t sp, uintptr_t bp) {
  if (!is_wanted(function, size_bytes)) return;
  write_alloc(block, size_bytes, function, {pc, sp, bp}, [&] { return event_tag(function); });
}

void record_client_alloc(void* block, size_t size_bytes, Function function, uint16_t domain, uint16_t user_tag,
                         const CapturePoint& caller) {
  if (!settings.filter.accepts_client(function, size_bytes, is_filtered_for_domain(domain),
                                      is_filtered_for_tag(user_tag)))
    return;
  const uint16_t tag = client_tag(function, domain, user_tag);
  if (tag != 0) write_alloc(block, size_bytes, function, caller, [tag] { return tag; });
}

void record_client_free(void* block, Function function, uint16_t domain, const CapturePoint& caller) {
  const uint64_t ticks = read_ticks();
  const uint16_t tag = client_tag(function, domain, 0);
  if (tag != 0) write_free(block, 0, function, ticks, caller, [tag] { return tag; });
}

void record_block_type(void* block, uint16_t domain, uint32_t type) {
  ThreadState* state = enter();
  if (state == nullptr) return;
  const uint64_t ticks = read_ticks();
  write_event(state, ticks, [&](EventEncoder& encoder, unsigned char* at) {
    return encoder.block_type(at, ticks, address_of(block), domain, type);
  });
  leave(state);
}

void record_free_at(void* block, Function function, uintptr_t pc, uintptr_t sp, uintptr_t bp) {
  write_free(block, 0, function, read_ticks(), {pc, sp, bp});
}

void record_realloc_free(void* old_block, Function function, uint64_t begin_ticks, const CapturePoint& caller) {
  write_free(old_block, 0, function, begin_ticks, caller);
}

void record_unmapped(void* start, size_t size_bytes, Function function, uint64_t begin_ticks,
                     const CapturePoint& caller) {
  if (size_bytes > format::kMostBlockBytes) return count_dropped(format::DropCause::too_large);
  write_free(start, size_bytes, function, begin_ticks, caller);
}

void record_realloc(void* old_block, void* new_block, size_t size_bytes, Function function, uint64_t begin_ticks,
                    const CapturePoint& caller) {
  const bool is_too_large = size_bytes > format::kMostBlockBytes;
  if (is_too_large) count_dropped(format::DropCause::too_large);
  if (is_too_large || !is_wanted(function, size_bytes)) {
    write_free(old_block, 0, function, begin_ticks, caller);
    return;
  }
  ThreadState* state = enter();
  if (state == nullptr) return;
  const uint64_t end_ticks = read_ticks();
  const uint32_t stack = take_stack(state, caller, function);
  if (__builtin_expect(stack == format::kNoStack, 0)) {
    lose_event();
    leave(state);
    return;
  }
  write_event(state, begin_ticks, [&](EventEncoder& encoder, unsigned char* at) {
    return encoder.realloc(at, begin_ticks, end_ticks, address_of(old_block), address_of(new_block), size_bytes, stack,
                           event_tag(function));
  });
  leave(state);
}

}  // namespace memprof
