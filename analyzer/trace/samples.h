// What the kernel said of the process's memory, now and then.
#pragma once

#include <vector>

#include "trace/trace_file.h"

namespace memprof {

// In the order of their time.
std::vector<format::MemorySample> read_samples(const TraceFile& file);

}  // namespace memprof
