// What one thread needs to record: its two page cursors, its encoder, its remembered stack. One mmap'd block a thread,
// found through one initial-exec thread-local pointer (the block is too large for TLS: threads with PTHREAD_STACK_MIN
// stacks keep theirs there).
//
// Invariants:
//   * A state is used by its thread alone, and `busy` while it is: a signal handler that interrupts the recorder finds
//     it busy and uses the next state of the chain, a stream of its own, down to kMaxNesting.
//   * busy is cleared when the recorder returns, or by forget_abandoned() when a longjmp left it for good.
//   * A thread that forked comes over with its states, which write to the parent's file. Whichever thread of the child
//     makes the child's trace: every use of the states of a thread begins with own_states(), which gives up what is an
//     ancestor's.
//   * Recording is on exactly when a state's generation equals recording_control->generation. The control lies in a
//     page that fork wipes, so even a child of a raw clone finds generation 0 and never writes into its parent's file.
#pragma once

#include <stdint.h>

#include "platform/rare_lock.h"
#include "recorder/event_encoder.h"
#include "recorder/stack_cache.h"
#include "stack_table/stack_table.h"
#include "trace_writer/page_cursor.h"
#include "unwind/unwinder.h"

namespace memprof {

// How far the recorder is with the event in hand.
enum class Busy : uint32_t { idle, entered, writing, written };

struct ThreadState {
  uint64_t generation;
  uint32_t process;  // of the process that made it; other than this one's, it is an ancestor's
  Busy busy;
  uint32_t level;  // 0, or how many states the handlers above interrupted
  ThreadState* nested;
  ThreadState* next_free;
  ThreadState* next_made;
  uintptr_t entered_at;  // stack pointer of the recorder's entry while busy
  uint32_t thread_serial;
  uint32_t thread_id;
  uint32_t stream_id;
  uint32_t captures_until_check;  // MEMPROF_VERIFY_STACKS
  uint32_t exit_rounds;           // rounds of thread-exit destructors that have passed
  PageCursor events;
  EventEncoder encoder;
  NodeStream nodes;
  StackPath path;
  UnwindState unwind;
  StackCache stacks;
};

constexpr uint32_t kMaxNesting = 4;

struct RecordingControl {
  uint64_t generation;   // kIdle: not recording; 0: wiped by a fork
  RareLock child_begin;  // held while a forked child's trace is made: other threads' first events wait for it
  std::atomic<uint32_t> calls_under_way;  // platform/syscalls.h
  std::atomic<uint32_t> is_stopping;      // snapshot/stopped_threads.h
};
constexpr uint64_t kIdle = ~uint64_t{0};
extern RecordingControl* recording_control;

// A forked child before its first event: what it inherited is its parent's.
inline bool is_fresh_child() {
  return std::atomic_ref(recording_control->generation).load(std::memory_order_acquire) == 0;
}

extern constinit thread_local ThreadState* current_state __attribute__((tls_model("initial-exec")));

// The current thread's state, made idle-to-busy; nullptr: this event is not recorded (not recording, or counted as
// dropped). Slow half of enter() in recorder.h.
ThreadState* enter_slowly();

// While one lives, this thread's hooks record nothing: what libc allocates for memprof is not the host's. The thread's
// state must be busy, as only enter_slowly() looks.
class OwnCalls {
 public:
  OwnCalls();
  ~OwnCalls();
  OwnCalls(const OwnCalls&) = delete;
  OwnCalls& operator=(const OwnCalls&) = delete;

 private:
  bool before_;
};

// At thread exit, from the key destructor: seals the thread's pages and gives its states back.
void release_thread(void* state);
// Seals the calling thread's pages at process end.
void seal_own_pages();
// How many streams of events are being written, in all threads.
uint32_t states_in_use();
// Memory of all states that were ever made, in use or not.
size_t thread_states_resident_bytes();
// A longjmp to a frame at `target_sp` leaves every recorder entry below it for good.
void forget_abandoned(uintptr_t target_sp);

// Makes the control page and the key. False: recording cannot work here.
bool start_thread_states();
// In a forked child: the states of the other threads are gone; those that came over are inherited from now on.
void reset_thread_states();

}  // namespace memprof
