// The library's side of memprof/memprof.h.
#include "memprof/memprof.h"

#include "interpose/hook.h"
#include "lifecycle/lifecycle.h"
#include "recorder/scopes.h"

MEMPROF_EXPORT void memprof_start() { memprof::start_recording(); }
MEMPROF_EXPORT void memprof_stop() { memprof::pause_recording(); }
MEMPROF_EXPORT int memprof_is_active() { return memprof::is_recording() ? 1 : 0; }
MEMPROF_EXPORT int memprof_snapshot() { return memprof::take_called_snapshot() ? 1 : 0; }
MEMPROF_EXPORT void memprof_scope_begin(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks) {
  memprof::begin_scope(name, max_leaked_bytes, max_leaked_blocks);
}
MEMPROF_EXPORT void memprof_scope_end() { memprof::end_scope(); }
