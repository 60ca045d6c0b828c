// Which words of the process's memory could point to a block, at one moment: for the analyzer, which knows the blocks.
//
//   stop all other threads ─▶ fork by the bare system call ─▶ threads go on
//                              └▶ the child, an image of that moment, writes pages of its own into the trace, and ends
//
// Invariants:
//   * The program is held only from the first stop to the fork; the child scans beside it.
//   * The child runs no code but memprof's, sends no signal when it ends, and no wait of the host sees it.
//   * What could not be done is seen in the trace: no `end` record, or a thread that is unseen.
#pragma once

#include "memprof/trace_format.h"

namespace memprof {

// Waits until it is written. False: there is none, or a part. Not from a signal handler.
bool take_snapshot(format::SnapshotReason reason);

}  // namespace memprof
