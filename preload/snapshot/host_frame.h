// Where the calling thread left the program's own code: the recorder's frames, and those of the C library that lead to
// it (exit and what it calls), hold no pointer that the program will use, but words that nobody ever wrote: what lay
// there before, most often pointers to blocks that the program has just lost.
#pragma once

#include "memprof/trace_format.h"

namespace memprof {

// Sets the stack pointer and the registers of the innermost frame that is neither the recorder's nor the C library's,
// or that a signal interrupted: there all registers lie on the stack. Where the unwinder cannot go on, of the frame
// that it came to. No locks; a few system calls.
void keep_host_frame(format::SnapshotThread* thread);

}  // namespace memprof
