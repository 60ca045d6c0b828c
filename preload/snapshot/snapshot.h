// Which words of the process's memory could point to a block, at one moment: for the analyzer, which knows the blocks.
//
//   stop all other threads ─▶ fork by the bare system call ─▶ wait ─▶ threads go on
//                              └▶ the child, an image of that moment, writes pages of its own into the trace, and ends
//
// Invariants:
//   * The child runs no code but memprof's, has no descriptor but the trace's, sends no signal when it ends, and dies
//   with
//     its parent. No wait of the host sees it, but one with __WALL.
//   * Signals of the host are handled while it waits.
//   * What could not be done is seen in the trace: no `end` record, or a thread that is unseen.
#pragma once

#include "memprof/trace_format.h"

namespace memprof {

// Waits until it is written. False: there is none, or a part. Not from a signal handler.
bool take_snapshot(format::SnapshotReason reason);

}  // namespace memprof
