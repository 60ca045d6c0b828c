// Tags that the program pushes, domains that it defines, and the numbers that events carry for them.
//
// An event's tag is the number of its function, unless a tag or another domain than the function's comes with it: then
// it is a number that stands for the three. These are given out as they are first met, each told to the trace before
// any event carries it; there is room for 65,024.
// Thread-safe and async-signal-safe. A signal handler has the tags of the thread that it interrupted.
#pragma once

#include <stdint.h>

#include <atomic>

#include "client/name_table.h"
#include "memprof/trace_format.h"

namespace memprof {

// Of the calling thread. Deeper ones than are kept go by the innermost that is, and so does a place without a tag.
//
// A signal handler may come between any two instructions; it may push and pop, leave what it pushed, and leave by
// longjmp. So a push takes a place that is its own from then on, writes its tag there, and then says that the tag is
// there; a pop is one step. Only handlers of the same thread look: nothing but the compiler could reorder these.
class PushedTags {
 public:
  static constexpr uint32_t kMost = 28;

  bool has_any() const { return filled() != 0; }
  uint16_t innermost() const {
    const uint32_t places = filled();
    std::atomic_signal_fence(std::memory_order_acquire);  // pairs with the release of a push that it interrupted
    return places == 0 ? 0 : tags_[31 - __builtin_clz(places)];
  }

  // `tag` 0: the place goes by the one below. False: it is deeper than what is kept.
  bool push(uint16_t tag) {
    const uint64_t place = state_.fetch_add(kOneDeeper, std::memory_order_relaxed) >> 32;
    if (place >= kMost) return false;
    if (tag == 0) return true;
    tags_[place] = tag;
    std::atomic_signal_fence(std::memory_order_release);
    uint64_t before = state_.load(std::memory_order_relaxed);
    // A handler may have popped it.
    while (before >> 32 > place &&
           !state_.compare_exchange_weak(before, before | uint64_t{1} << place, std::memory_order_relaxed)) {
    }
    return true;
  }
  // False: there is none.
  bool pop() {
    uint64_t before = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (before < kOneDeeper) return false;
      const uint64_t place = (before >> 32) - 1;
      const uint64_t tag = place < kMost ? uint64_t{1} << place : 0;
      if (state_.compare_exchange_weak(before, (before - kOneDeeper) & ~tag, std::memory_order_relaxed)) return true;
    }
  }

 private:
  static constexpr uint64_t kOneDeeper = uint64_t{1} << 32;
  uint32_t filled() const { return static_cast<uint32_t>(state_.load(std::memory_order_relaxed)); }

  std::atomic<uint64_t> state_{0};  // depth << 32 | bit n: tags_[n] is there. None is at or above the depth
  uint16_t tags_[kMost] = {};
};
extern constinit thread_local PushedTags pushed_tags __attribute__((tls_model("initial-exec")));

// The number of a user's tag, which has a name; 0: none, there is no room.
uint16_t user_tag_of(const char* name);

void push_tag(const char* name);
void pop_tag();

// A domain's number, >= kFirstDefinedDomain; 0xffff: it has no name, or there is no room.
inline constexpr uint16_t kNoDomain = UINT16_MAX;
uint16_t domain_of(const char* name);
// That a client's block may be of: defined, and not that of mappings.
bool may_track_in(uint16_t domain);

// What an event of `function` carries; without the tag where there is no room for one more number. 0: not even for the
// domain, then the event is none of any other.
uint16_t tag_of(format::Function function, uint16_t domain, uint16_t user_tag);
uint16_t with_pushed_tag(format::Function function);  // in the function's own domain
inline uint16_t event_tag(format::Function function) {
  const auto number = static_cast<uint16_t>(function);
  if (__builtin_expect(!pushed_tags.has_any() && number < format::kFirstDefinedTag, 1)) return number;
  return with_pushed_tag(function);
}

// What MEMPROF_FILTER asks for: names a tag, or a domain (or none in particular).
bool is_filtered_for_tag(uint16_t user_tag);
bool is_filtered_for_domain(uint16_t domain);
inline bool is_under_filtered_tag() { return pushed_tags.has_any() && is_filtered_for_tag(pushed_tags.innermost()); }

// In a forked child, whose trace knows none yet.
void define_tags_again();

}  // namespace memprof
