// One decoded event. A realloc becomes two: its release at the begin of the call, its allocation at the end.
#pragma once

#include <cstdint>

namespace memprof {

enum class EventKind : uint8_t { release, allocation };

struct Event {
  uint64_t ticks;
  uint64_t address;
  uint64_t size;   // asked for; of a release: what the call said (munmap, sized delete), 0 when it said nothing
  uint32_t stack;  // as in the trace, not canonical
  uint16_t tag;
  EventKind kind;
  // The second half of a realloc: the same event of its thread as the release before it.
  bool continues : 1;
  // The trace was rewritten without the events of the thread that lay between the one before and this.
  bool follows_gap : 1 = false;
};
static_assert(sizeof(Event) == 32);

// Orders events of different streams: by time, at equal times releases first.
inline constexpr uint64_t kMaxEventTicks = UINT64_MAX >> 1;
inline uint64_t merge_key(uint64_t ticks, EventKind kind) {
  return ticks << 1 | static_cast<uint64_t>(kind == EventKind::allocation);
}

}  // namespace memprof
