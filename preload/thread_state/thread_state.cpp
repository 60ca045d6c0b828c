#include "thread_state/thread_state.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>

#include "lifecycle/lifecycle.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "trace_writer/record_stream.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

namespace memprof {

constinit RecordingControl* recording_control = nullptr;
constinit thread_local ThreadState* current_state = nullptr;

namespace {

// Survives the thread's state: a destructor that runs after ours goes on under the same serial.
constinit thread_local uint32_t own_serial __attribute__((tls_model("initial-exec"))) = 0;
constinit thread_local bool own_calls __attribute__((tls_model("initial-exec"))) = false;

// Which process this is, counted along its ancestors that recorded.
constinit uint32_t this_process = 0;
constinit RareLock pool_lock;
constinit ThreadState* free_states = nullptr;
constinit ThreadState* made_states = nullptr;
constinit uint32_t used_states = 0;
constinit uint32_t streams_made = 0;
constinit pthread_key_t exit_key = 0;
constinit bool have_key = false;

constexpr size_t kStateBytes = (sizeof(ThreadState) + 4095) & ~size_t{4095};

ThreadState* take_state() {
  RareGuard guard(pool_lock);
  if (!guard.held()) return nullptr;
  ThreadState* state = free_states;
  if (state != nullptr) {
    free_states = state->next_free;
  } else {
    state = static_cast<ThreadState*>(sys::map_anonymous(kStateBytes));
    if (state == nullptr) return nullptr;
    state->next_made = made_states;
    made_states = state;
  }
  ++used_states;
  state->stream_id = ++streams_made;
  return state;
}

void give_state_back(ThreadState* state) {
  RareGuard guard(pool_lock);
  if (!guard.held()) return;  // it is lost
  state->next_free = free_states;
  free_states = state;
  --used_states;
}

// A stack of the previous owner must not be trusted: the unwinder starts empty, its rules stay.
void begin_streams(ThreadState* state, uint32_t serial, uint32_t level) {
  state->generation = recording_control->generation;
  state->process = this_process;
  state->busy = Busy::idle;
  state->level = level;
  state->nested = nullptr;
  state->thread_serial = serial;
  state->thread_id = sys::thread_id();
  state->captures_until_check = 0;
  state->exit_rounds = 0;
  state->events = PageCursor{};
  state->nodes = NodeStream{PageCursor{}, 0, state->stream_id, serial, state->thread_id, false};
  state->path.known = state->path.hashed = 0;
  state->encoder.restart(0, 0);
  state->stacks.forget();
  forget_stack(state->unwind);
}

uint32_t next_serial() {
  return static_cast<uint32_t>(std::atomic_ref(trace_header->thread_count).fetch_add(1, std::memory_order_relaxed)) + 1;
}

ThreadState* make_state(uint32_t level) {
  if (own_serial == 0) own_serial = next_serial();
  ThreadState* state = take_state();
  if (state == nullptr) {
    count_dropped(format::DropCause::no_memory);
    return nullptr;
  }
  begin_streams(state, own_serial, level);
  return state;
}

// In the child, right after fork: where a signal handler forked, the recorder that it interrupted goes on here as well
// as in the parent, even when it was about to mark its state busy.
void divert_states() {
  divert_record_streams();
  for (ThreadState* state = current_state; state != nullptr; state = state->nested) {
    state->events.divert();
    state->nodes.cursor.divert();
  }
}

// The states of the thread that forked: their pages are its parent's. One that the fork interrupted is still in use by
// the code below us: it stays.
void give_up_states() {
  for (ThreadState* state = current_state; state != nullptr; state = state->nested) {
    if (state->busy == Busy::idle) {
      state->events.abandon();
      state->nodes.cursor.abandon();
    }
    state->path.known = state->path.hashed = 0;
  }
  own_serial = 0;
  current_state = nullptr;
}

// The calling thread's first state, if it has any in this process.
ThreadState* own_states() {
  if (current_state != nullptr && (current_state->process != this_process || is_fresh_child())) give_up_states();
  return current_state;
}

ThreadState* make_first_state() {
  ThreadState* state = make_state(0);
  if (state == nullptr) return nullptr;
  if (current_state != nullptr) {  // a signal handler was quicker
    give_state_back(state);
    return current_state;
  }
  state->busy = Busy::entered;  // hooks go the slow way, where own_calls stops them
  current_state = state;
  if (have_key) {
    const OwnCalls own;
    pthread_setspecific(exit_key, state);
  }
  state->busy = Busy::idle;
  return state;
}

ThreadState* make_nested_state(ThreadState* above) {
  if (above->level + 1 >= kMaxNesting) {
    count_dropped(format::DropCause::nested);
    return nullptr;
  }
  ThreadState* state = make_state(above->level + 1);
  if (state == nullptr) return nullptr;
  if (above->nested != nullptr) {
    give_state_back(state);
    return above->nested;
  }
  above->nested = state;
  return state;
}

void close_streams_of(ThreadState* state) {
  state->events.close();
  state->nodes.cursor.close();
}

}  // namespace

OwnCalls::OwnCalls() : before_(own_calls) { own_calls = true; }
OwnCalls::~OwnCalls() { own_calls = before_; }

ThreadState* enter_slowly() {
  if (recording_control == nullptr || own_calls) return nullptr;
  uint64_t generation = std::atomic_ref(recording_control->generation).load(std::memory_order_acquire);
  if (generation == 0) {
    begin_forked_child();
    generation = std::atomic_ref(recording_control->generation).load(std::memory_order_acquire);
  }
  if (generation == kIdle || generation == 0) {
    note_unrecorded_event();
    return nullptr;
  }
  ThreadState* state = own_states();
  if (state == nullptr) state = make_first_state();
  while (state != nullptr && state->busy != Busy::idle) {
    state = state->nested != nullptr ? state->nested : make_nested_state(state);
  }
  if (state == nullptr) return nullptr;
  state->busy = Busy::entered;
  std::atomic_signal_fence(std::memory_order_acquire);
  state->entered_at = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return state;
}

void release_thread(void*) {
  ThreadState* state = own_states();
  // Other destructors may allocate in every round that there is: stay to the last, or each would cost a page.
  if (state != nullptr && ++state->exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS && state->busy == Busy::idle) {
    state->busy = Busy::entered;
    {
      const OwnCalls own;
      pthread_setspecific(exit_key, state);
    }
    state->busy = Busy::idle;
    return;
  }
  current_state = nullptr;  // a later destructor that allocates takes a state, and arms the key, again
  while (state != nullptr) {
    ThreadState* nested = state->nested;
    close_streams_of(state);
    give_state_back(state);
    state = nested;
  }
}

void seal_own_pages() {
  for (ThreadState* state = own_states(); state != nullptr; state = state->nested) {
    if (state->busy != Busy::idle) continue;
    state->events.seal();  // what comes after the end goes into the rest of their runs
    state->nodes.cursor.seal();
  }
}

uint32_t states_in_use() {
  RareGuard guard(pool_lock);
  return used_states;
}

size_t thread_states_resident_bytes() {
  RareGuard guard(pool_lock);
  size_t bytes = 0;
  for (const ThreadState* state = made_states; state != nullptr; state = state->next_made) {
    bytes += sys::resident_bytes(state, kStateBytes);
  }
  return bytes;
}

void forget_abandoned(uintptr_t target_sp) {
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  for (ThreadState* state = own_states(); state != nullptr; state = state->nested) {
    // Frames between here and the target die; an entry elsewhere lies on another stack and stays.
    const bool dies = state->busy != Busy::idle && state->entered_at >= here && state->entered_at < target_sp;
    if (!dies) continue;
    if (state->busy != Busy::written) count_dropped(format::DropCause::interrupted);
    if (state->busy == Busy::writing) state->events.seal();  // the encoder may be half-way
    if (state->nodes.writing) state->nodes.cursor.seal();
    state->nodes.writing = false;
    state->path.known = state->path.hashed = 0;
    forget_stack(state->unwind);
    std::atomic_signal_fence(std::memory_order_release);
    state->busy = Busy::idle;
  }
}

bool start_thread_states() {
  auto* control = static_cast<RecordingControl*>(sys::map_anonymous(4096));
  if (control == nullptr) return false;
  // Without it (Linux < 4.14) a child of a raw clone would write into its parent's file: rather do not record.
  if (sys::advise(control, 4096, MADV_WIPEONFORK) != 0) return false;
  control->generation = kIdle;
  sys::count_calls_in(&control->calls_under_way);
  have_key = pthread_key_create(&exit_key, release_thread) == 0;
  // libc has room for the first 48 handlers without allocating; the first in line runs first in the child.
  pthread_atfork(nullptr, nullptr, divert_states);
  recording_control = control;
  return true;
}

void reset_thread_states() {
  pool_lock.reset();
  ++this_process;
  free_states = nullptr;
  made_states = nullptr;
  streams_made = 0;
  used_states = 0;
  own_states();
}

}  // namespace memprof
