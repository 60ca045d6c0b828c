// XXH3-64, the checksum of the trace format.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

uint64_t checksum(const void* bytes, size_t count);

}  // namespace memprof
