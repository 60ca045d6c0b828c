// GNU obstacks: the chunks that they take and give back. Objects are carved out of them by macros, which nobody sees.
//
// What is read of the structures glibc, gnulib and libiberty have alike (malloc/obstack.h). By the thread that uses the
// obstack; nothing is kept.
#pragma once

#include <stdint.h>

#include "recorder/recorder.h"

namespace memprof {

struct ObstackChunk {
  const char* limit;  // past its last byte
  ObstackChunk* prev;
};
struct Obstack {
  long chunk_size;
  ObstackChunk* chunk;  // the newest
};

// Of an obstack before a call that may grow it.
struct ObstackTop {
  ObstackChunk* chunk;
  ObstackChunk* prev;
};
ObstackTop top_of(const Obstack& obstack);

void note_obstack_begun(const Obstack& obstack, Function function, const CapturePoint& caller);
// What has come since `top`. An object that was alone in its chunk takes the chunk with it: then the old one is freed.
void note_obstack_grown(const Obstack& obstack, const ObstackTop& top, Function function, uint64_t begin_ticks,
                        const CapturePoint& caller);
// Before they are freed: all that are newer than the one that holds `object`; null: all.
void end_obstack_chunks(const Obstack& obstack, const void* object, Function function, const CapturePoint& caller);

}  // namespace memprof
