// Types that the program gave where it had no block (memprof_set_type): the recorder keeps no blocks.
#pragma once

#include <cstdint>

#include "model/analysis.h"

namespace memprof {

// How many; 0 too where a block may be missing for another reason: recording was filtered or off at some time, lost
// events, began in a forked child, or only a part of the trace is looked at. One pass over the events, where there are
// types.
uint64_t untaken_types(const Trace& trace);

}  // namespace memprof
