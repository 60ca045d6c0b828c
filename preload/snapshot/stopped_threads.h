// All other threads of the process, brought to a signal handler and held there for a moment: the code that they ran has
// its registers in their frames.
//
// Invariants:
//   * The signal is a real-time one that the program has left at its default, and has its default again afterwards: but
//     where a thread did not come, as the signal may still wait for it, and the default would end the process.
//   * A stopped thread waits in the handler and touches nothing but its own place here. It goes on when it is told to,
//   or
//     when this process image is gone.
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
  bool signal_new_threads(uint32_t own, bool* any_new);
  bool add(uint32_t thread, bool* is_new);

  uint32_t* asked_ = nullptr;  // ids of the others, ascending
  size_t asked_count_ = 0;
  format::SnapshotThread* threads_ = nullptr;
  size_t count_ = 0;
  int signal_ = 0;
};

}  // namespace memprof
