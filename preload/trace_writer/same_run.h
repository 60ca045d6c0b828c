// Whether a finished trace that has our name is of the run that this process is part of, and must keep it.
//
// The parent tells, when it is recorded. An orphan's parent is gone: it may find the trace of the process that started
// it, which ended when the orphan was there already. That another run ended after this process began is possible as
// well (a shell that becomes the program at last): then the newcomer takes a name with its pid, and nothing is lost.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

// `fd` is the trace; `process_start` is process_start_time() of this process.
bool is_of_this_run(const format::FileHeader& header, int fd, uint64_t process_start);

}  // namespace memprof
