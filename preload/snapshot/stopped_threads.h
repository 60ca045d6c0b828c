// All other threads of the process, brought to a signal handler and held there for a moment: the code that they ran has
// its registers in their frames.
//
// Invariants:
//   * The signal is a real-time one that the program has left at its default, and that no thread blocks but such as
//     block nearly all: so nobody waits for it. Those are sent one that the C library keeps for itself, and leaves out
//     of all masks; what of it is not ours goes to the C library's handler.
//   * Both have their old handlers again afterwards, but where a thread that was sent one did not come: it may still
//     wait there, and the default would end the process. In a forked child the handler makes way for the default.
//   * A stopped thread waits in the handler and touches nothing but its own place here. It goes on when it is told to,
//     or when this process image is gone. A system call that the signal interrupted begins again.
//   * A thread that blocks the signal, or does not run in time, is not waited for: it is unseen.
//   * One stop at a time; from the first signal to the last thread's leave nothing of the host or of libc is called.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

class StoppedThreads {
 public:
  StoppedThreads() = default;
  StoppedThreads(const StoppedThreads&) = delete;
  StoppedThreads& operator=(const StoppedThreads&) = delete;

  // False: no signal, memory or /proc to do it with; no thread was touched.
  bool stop();
  // After stop(), also after a failed one.
  void release();

  // The calling thread first.
  const format::SnapshotThread* begin() const { return threads_; }
  const format::SnapshotThread* end() const { return threads_ + count_; }
  size_t count() const { return count_; }

 private:
  // blocking: it blocks the signal, perhaps only until it has done something of the recorder's.
  enum class Fate : uint32_t { gone, signalled, blocking, unseen };
  struct Asked {
    uint32_t thread;
    Fate fate;
    uint32_t looks;  // at it, while it slept outside the recorder and blocked the signal
    int signal;      // that it was sent
    long call;       // the system call that it was in; -1: none
    uint64_t call_end;
  };

  bool choose_signal(uint32_t own);
  bool ask_new_threads(uint32_t own, bool* any_new);
  void ask(Asked& asked);
  // True: there are any left.
  bool ask_blocking_threads();
  Asked* add(uint32_t thread);  // nullptr: it is known, or there are too many
  const Asked* find(uint32_t thread) const;
  size_t count_expected() const;
  void add_unseen(size_t arrived);
  void add_red_zones();
  void give_signals_back() const;
  void restart_calls() const;

  Asked* asked_ = nullptr;  // the others, by their ids
  size_t asked_count_ = 0;
  bool too_many_ = false;
  format::SnapshotThread* threads_ = nullptr;
  size_t count_ = 0;
  int signal_ = 0;
  bool has_library_signal_ = false;
};

}  // namespace memprof
