// Which words of the process's memory could point to a block, at one moment: for the analyzer, which knows the blocks.
//
//   stop all other threads ─▶ fork by the bare system call ─▶ threads go on (at the end of the process: when all is
//                              │                              written, as destructors have run)
//                              └▶ the child, an image of that moment, writes pages of its own into the trace, and ends
//
// Invariants:
//   * The child runs no code but memprof's, has no descriptor but the trace's, takes no signal and sends none when it
//     ends. No wait of the host sees it, but one with __WALL.
//   * Nothing is closed or cut while a child writes: the process waits for it at its end.
//   * Signals of the host are handled while it waits.
//   * What could not be done is seen in the trace: no `end` record, or a thread that is unseen.
#pragma once

#include "memprof/trace_format.h"

namespace memprof {

// exit: waits until it is written. Else returns when the threads go on; one that is still being written is waited for
// first, but not in a signal handler. Any thread, async-signal-safe. False: there is none, or a part.
bool take_snapshot(format::SnapshotReason reason);
// Before the trace is closed.
void finish_snapshot();
// In a forked child: what is being written is the parent's.
void forget_snapshot();

}  // namespace memprof
