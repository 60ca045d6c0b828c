// Descriptors of ours stay out of the host's way: it expects the lowest free numbers for itself.
#pragma once

namespace memprof {

// The same open file under a high number; the number given when there is none. Async-signal-safe.
int move_high(int fd);

}  // namespace memprof
