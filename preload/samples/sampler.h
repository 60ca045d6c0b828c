// Samples of the process's memory, on rare paths only: when the trace begins, when a thread has claimed a page of
// it, when it ends.
//
// Invariants: no thread, no signal, no allocation; no lock of memprof's is held while the kernel is asked; all signals
// are blocked meanwhile, so no handler leaves a sample half-way; one thread samples, another goes on without.
#pragma once

namespace memprof {

// The trace has begun; in a forked child, a new one. One thread at a time.
void start_samples();
// Any thread, async-signal-safe. A clock reading where none is due.
void sample_if_due();
// The last one; none follows.
void end_samples();

}  // namespace memprof
