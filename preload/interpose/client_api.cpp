// The library's side of memprof/memprof.h.
#include "memprof/memprof.h"

#include "interpose/hook.h"
#include "lifecycle/lifecycle.h"

MEMPROF_EXPORT void memprof_start() { memprof::start_recording(); }
MEMPROF_EXPORT void memprof_stop() { memprof::pause_recording(); }
MEMPROF_EXPORT int memprof_is_active() { return memprof::is_recording() ? 1 : 0; }
MEMPROF_EXPORT int memprof_snapshot() { return memprof::take_called_snapshot() ? 1 : 0; }
