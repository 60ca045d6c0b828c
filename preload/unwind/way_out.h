// Code outside all modules, of a JIT compiler or made by hand, from where a call returns to it: when all that follows
// up to the return is one straight line, its instructions say where the return address lies.
//
// What is taken for granted: the code stays as it is until the call returns. So the answer holds for this walk alone.
// What CPython writes for its frames (-X perf) is of that kind.
#pragma once

#include <stdint.h>

#include "unwind/byte_reader.h"
#include "unwind/rule.h"

namespace memprof {

// A plain rule, or no_data where the way out branches, is not understood or leaves `code`, which begins where the call
// returns to.
Rule find_way_out(ByteRange code);

// How much of the code is looked at, at most.
inline constexpr uint64_t kMostWayOutBytes = 64;

}  // namespace memprof
