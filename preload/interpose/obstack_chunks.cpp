#include "interpose/obstack_chunks.h"

namespace memprof {
namespace {

size_t bytes_of(const ObstackChunk& chunk) {
  return static_cast<size_t>(chunk.limit - reinterpret_cast<const char*>(&chunk));
}

}  // namespace

ObstackTop top_of(const Obstack& obstack) {
  return {obstack.chunk, obstack.chunk != nullptr ? obstack.chunk->prev : nullptr};
}

void note_obstack_begun(const Obstack& obstack, Function function, const CapturePoint& caller) {
  if (obstack.chunk != nullptr) record_alloc(obstack.chunk, bytes_of(*obstack.chunk), function, caller);
}

void note_obstack_grown(const Obstack& obstack, const ObstackTop& top, Function function, uint64_t begin_ticks,
                        const CapturePoint& caller) {
  for (ObstackChunk* chunk = obstack.chunk; chunk != nullptr && chunk != top.chunk && chunk != top.prev;
       chunk = chunk->prev) {
    if (chunk->prev == top.prev && top.chunk != nullptr) {
      record_realloc(top.chunk, chunk, bytes_of(*chunk), function, begin_ticks, caller);
    } else {
      record_alloc(chunk, bytes_of(*chunk), function, caller);
    }
  }
}

void end_obstack_chunks(const Obstack& obstack, const void* object, Function function, const CapturePoint& caller) {
  const auto place = reinterpret_cast<uintptr_t>(object);
  const auto holds_object = [&](const ObstackChunk* chunk) {
    return reinterpret_cast<uintptr_t>(chunk) < place && place <= reinterpret_cast<uintptr_t>(chunk->limit);
  };
  for (ObstackChunk* chunk = obstack.chunk; chunk != nullptr && !holds_object(chunk); chunk = chunk->prev) {
    record_free(chunk, function, caller);
  }
}

}  // namespace memprof
