// The modules that there were when the loader last said so: one that is there again was looked at when it came. Later
// is too late: other threads may be in it. All zero when it begins; one thread at a time.
#pragma once

#include <stdint.h>

namespace memprof {

class LoadedModules {
 public:
  void begin_visit() { ++visit_; }
  // Whether it was there at the visit before.
  bool meet(uintptr_t begin) {
    Place* const place = place_of(begin);
    if (place == nullptr) return true;  // no room: it is not looked at
    const bool was_there = place->begin == begin && place->visit + 1 == visit_;
    *place = {begin, visit_};
    return was_there;
  }
  bool is_there(uintptr_t begin) {
    const Place* const place = place_of(begin);
    return place == nullptr || (place->begin == begin && place->visit == visit_);
  }

 private:
  struct Place {
    uintptr_t begin;  // 0: free
    uint64_t visit;   // the last at which it was there
  };
  static constexpr unsigned kPlaces = 1024, kMostTries = 256;

  // Its own, or one that may become it.
  Place* place_of(uintptr_t begin) {
    Place* stale = nullptr;
    unsigned at = static_cast<unsigned>((begin >> 12) * 0x9E3779B97F4A7C15 >> 54);
    for (unsigned tries = 0; tries < kMostTries; ++tries, at = (at + 1) % kPlaces) {
      Place& place = places_[at];
      if (place.begin == begin) return &place;
      if (place.begin == 0) return stale != nullptr ? stale : &place;
      if (stale == nullptr && place.visit + 1 < visit_) stale = &place;
    }
    return stale;
  }

  uint64_t visit_;
  Place places_[kPlaces];
};

}  // namespace memprof
