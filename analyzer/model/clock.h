// Ticks of the recorder's clock to nanoseconds since the start of the trace.
#pragma once

#include <cstdint>

#include "trace/trace_file.h"

namespace memprof {

class Clock {
 public:
  explicit Clock(const TraceFile& file);

  // Ticks before the start (a damaged or clamped stamp) are time 0.
  uint64_t ns_since_start(uint64_t ticks) const;
  // The first at which so much time has passed; UINT64_MAX: it never does.
  uint64_t first_ticks_at(uint64_t ns) const;
  uint64_t ticks_of_duration(uint64_t ns) const;
  double ticks_per_second() const { return ticks_per_second_; }

 private:
  uint64_t start_ticks_;
  double ticks_per_second_;
  double ns_per_tick_;
};

}  // namespace memprof
