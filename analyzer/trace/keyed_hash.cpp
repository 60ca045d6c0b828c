#include "trace/keyed_hash.h"

#include <unistd.h>

#include <chrono>

namespace memprof {

HashKey::HashKey() {
  if (::getentropy(this, sizeof *this) != 0) {
    // A kernel without it: harder to foresee than a constant all the same.
    offset = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    factor = reinterpret_cast<uintptr_t>(this) * 0x9e3779b97f4a7c15u ^ offset;
  }
  factor |= 1;
}

const HashKey kHashKey;

}  // namespace memprof
