// The MEMPROF_* environment, read once from the environment block that the loader hands to the constructor (libc's
// own environ is not set yet). A bad value costs one line on stderr and the default is used; so does
// an unknown name, but LLVM's MEMPROF_OPTIONS.
#pragma once

#include <stdint.h>

#include "platform/text.h"
#include "recorder/filter.h"

namespace memprof {

struct Settings {
  Text<4096> output;              // MEMPROF_OUTPUT, pattern with %p %e %n; default trace.bin
  Filter filter;                  // MEMPROF_FILTER
  uint32_t max_depth = 256;       // MEMPROF_MAX_DEPTH, 1 .. kMaxDepth
  uint64_t limit_bytes = 0;       // MEMPROF_LIMIT, 0: none
  uint32_t verify_stacks = 0;     // MEMPROF_VERIFY_STACKS, 0: never
  bool free_stacks = false;       // MEMPROF_FREE_STACKS
  bool follow_fork = true;        // MEMPROF_FOLLOW_FORK
  bool snapshot_at_exit = false;  // MEMPROF_SNAPSHOT
  int snapshot_signal = 0;        // MEMPROF_SNAPSHOT; 0: none
  bool start_paused = false;      // MEMPROF_START
  int toggle_signal = 0;          // MEMPROF_TOGGLE; 0: none
  uint64_t run = 0;               // MEMPROF_RUN, 0: not said
  bool patch = true;              // MEMPROF_PATCH
  bool verbose = false;           // MEMPROF_VERBOSE
};

extern Settings settings;

// `environment` is the null-terminated array of NAME=VALUE. Called once, single-threaded.
void read_settings(char** environment);

// As they were before.
void forget_settings();

// The settings that the user gave, for the trace: index from 0, nullptr past the last.
const char* given_setting(unsigned index);

}  // namespace memprof
