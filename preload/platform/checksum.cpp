#include "platform/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace memprof {

uint64_t checksum(const void* bytes, size_t count) { return XXH3_64bits(bytes, count); }

}  // namespace memprof
