// Tags that the program pushes, domains that it defines, and the numbers that events carry for them.
//
// An event's tag is the number of its function, unless a tag or another domain than the function's comes with it: then
// it is a number that stands for the three. These are given out as they are first met, each told to the trace before
// any event carries it; there is room for 65,024.
// Thread-safe and async-signal-safe. A signal handler has the tags of the thread that it interrupted.
#pragma once

#include <stdint.h>

#include "client/name_table.h"
#include "memprof/trace_format.h"

namespace memprof {

// Of the calling thread. Deeper ones are counted, and go by the innermost that is kept.
struct PushedTags {
  static constexpr uint32_t kMost = 28;
  uint32_t depth;
  uint32_t accepted;  // bit n: MEMPROF_FILTER accepts tags[n]
  uint16_t tags[kMost];
  uint32_t place() const { return (depth < kMost ? depth : kMost) - 1; }
  uint16_t innermost() const { return depth == 0 ? 0 : tags[place()]; }
  bool is_accepted() const { return depth != 0 && (accepted >> place() & 1) != 0; }
};
extern constinit thread_local PushedTags pushed_tags __attribute__((tls_model("initial-exec")));

// The number of a user's tag; 0: none, there is no room.
uint16_t user_tag_of(const char* name);

void push_tag(const char* name);
void pop_tag();

// A domain's number, >= kFirstDefinedDomain; 0xffff: there is no room.
inline constexpr uint16_t kNoDomain = UINT16_MAX;
uint16_t domain_of(const char* name);
// That a client's block may be of: defined, and not that of mappings.
bool may_track_in(uint16_t domain);

// What an event of `function` carries.
uint16_t tag_of(format::Function function, uint16_t domain, uint16_t user_tag);
uint16_t with_pushed_tag(format::Function function);  // in the function's own domain
inline uint16_t event_tag(format::Function function) {
  const auto number = static_cast<uint16_t>(function);
  if (__builtin_expect(pushed_tags.depth == 0 && number < format::kFirstDefinedTag, 1)) return number;
  return with_pushed_tag(function);
}

// What MEMPROF_FILTER asks for: names a tag, or a domain (or none in particular).
bool is_filtered_for_tag(uint16_t user_tag);
bool is_filtered_for_domain(uint16_t domain);

// In a forked child, whose trace knows none yet.
void define_tags_again();

}  // namespace memprof
