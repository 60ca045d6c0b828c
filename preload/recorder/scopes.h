// Scopes of the client API (memprof/memprof.h): stretches of a thread's time whose blocks have a budget. Whether they
// nest and end as they should, the analyzer tells.
#pragma once

#include <stddef.h>

namespace memprof {

// Async-signal-safe. `name` may be null.
void begin_scope(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks);
void end_scope();

}  // namespace memprof
