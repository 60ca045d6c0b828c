// Marks and scopes of the client API (memprof/memprof.h): moments with a name, and stretches of a thread's time whose
// blocks have a budget. Whether scopes nest and end as they should, the analyzer tells.
#pragma once

#include <stddef.h>

namespace memprof {

// Async-signal-safe. `name` may be null.
void begin_scope(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks);
void end_scope();

void write_mark(const char* name);

}  // namespace memprof
