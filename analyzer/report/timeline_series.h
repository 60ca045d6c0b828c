// What was open over time: the numbers of `timeline`.
//
// The time of the trace, or of the window, is cut into intervals. Each has what was open at its end and the greatest
// and least of every moment in it, so no spike is lost: the greatest of all intervals is the peak. O(1) an event;
// memory O(intervals x (stacks shown + threads shown)).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/analysis.h"
#include "report/report_options.h"
#include "report/site_groups.h"

namespace memprof {

struct TimelineInterval {
  uint64_t bytes = 0, chunks = 0;  // open at the end of it
  uint64_t max_bytes = 0, min_bytes = 0;
  uint64_t max_chunks = 0, min_chunks = 0;
  uint64_t allocations = 0, bytes_allocated = 0;  // by the stamp of the allocation
};

using TimelineSeries = std::vector<TimelineInterval>;

struct Timeline {
  // A stack or a group, or a thread by the blocks that it allocated.
  struct Part {
    uint32_t index;  // of the site in its account, of the thread in Analysis::threads
    uint64_t at_peak_bytes, open_bytes;
    TimelineSeries series;
    uint64_t contribution() const { return std::max(at_peak_bytes, open_bytes); }
  };
  struct MarkPoint {
    uint64_t time_ns;
    size_t interval;
    const Metadata::Mark* mark;
  };
  struct SamplePoint {
    uint64_t time_ns;
    size_t interval;
    const format::MemorySample* sample;
    // The exact number where there is one.
    uint64_t resident_bytes() const {
      const bool is_exact = sample->exact_resident_bytes != format::kNotSampled;
      return is_exact ? sample->exact_resident_bytes : sample->resident_bytes;
    }
  };

  const SiteGroups* groups;  // that sites are; null: stacks
  Analysis analysis;
  const Account* account = nullptr;  // of the domain; null: it has no events
  std::vector<uint64_t> begin_ns{};  // of each interval; each ends where the next one begins
  uint64_t from_ns = 0, to_ns = 0;   // of the window or the trace: the last interval ends at to_ns
  size_t peak_interval = 0;          // the first whose greatest is the peak
  TimelineSeries total{};
  std::vector<Part> sites{}, threads{};   // greatest contribution to the peak or to the end first
  TimelineSeries rest{};                  // of groups: what is of none in `sites`
  size_t all_sites = 0, all_threads = 0;  // that have such a contribution
  std::vector<MarkPoint> marks{};
  std::vector<SamplePoint> samples{};

  size_t size() const { return total.size(); }
  uint64_t end_ns(size_t interval) const { return interval + 1 < size() ? begin_ns[interval + 1] : to_ns; }
  uint64_t length_ns() const { return to_ns - from_ns; }
  // 0 for an interval without length.
  double per_second(uint64_t count, size_t interval) const;
};

inline constexpr size_t kDefaultTimelineParts = 5;
inline constexpr size_t kDefaultTimelineGroups = 10;

// Two passes over the events: the first finds the end, and who contributes most. `points`: at most so many intervals,
// fewer when the trace has fewer nanoseconds. `groups`: those of the trace's sites; may be null.
Timeline make_timeline(const Trace& trace, const SiteGroups* groups, const DomainSet& domains, size_t points,
                       size_t top, ProgressSink* progress);

}  // namespace memprof
