#include "report/timeline_series.h"

#include <tsl/robin_map.h>

#include <algorithm>

namespace memprof {

namespace {

// What every thread's blocks are at the highest moment and at the end. As in model/sites.h: a thread's bytes are put
// aside before they change for the first time after a new maximum.
class ThreadShares : public SumObserver {
 public:
  struct Share {
    uint64_t bytes = 0;
    uint64_t at_peak_bytes = 0;
    uint64_t settled_epoch = 0;
  };

  explicit ThreadShares(const DomainSet& domains) : domains_(domains) {}

  void changed(const SumChange& change) override {
    if (!domains_.has(change.domain)) return;
    if (change.thread >= shares_.size()) shares_.resize(change.thread + 1);
    Share& share = shares_[change.thread];
    put_aside(share);
    const bool is_more = change.is_more();
    const uint64_t delta = is_more ? change.bytes : -change.bytes;
    share.bytes += delta;
    total_ += delta;
    if (!is_more || total_ <= peak_) return;
    peak_ = total_;
    ++epoch_;
  }

  std::vector<Share> finish() {
    for (Share& share : shares_) put_aside(share);
    return std::move(shares_);
  }

 private:
  void put_aside(Share& share) const {
    if (share.settled_epoch == epoch_) return;
    share.settled_epoch = epoch_;
    share.at_peak_bytes = share.bytes;
  }

  const DomainSet domains_;
  std::vector<Share> shares_;
  uint64_t total_ = 0, peak_ = 0, epoch_ = 0;
};

// One series while it grows.
class Grower {
 public:
  explicit Grower(size_t intervals) : series_(intervals) {}

  // What is open goes into the interval as its first moment.
  void begin(size_t interval) {
    if (interval == 0) return;
    TimelineInterval& at = series_[interval];
    at.bytes = at.max_bytes = at.min_bytes = series_[interval - 1].bytes;
    at.chunks = at.max_chunks = at.min_chunks = series_[interval - 1].chunks;
  }
  void change(size_t interval, uint64_t bytes, uint64_t chunks) {
    TimelineInterval& at = series_[interval];
    at.bytes += bytes;
    at.chunks += chunks;
    at.max_bytes = std::max(at.max_bytes, at.bytes);
    at.min_bytes = std::min(at.min_bytes, at.bytes);
    at.max_chunks = std::max(at.max_chunks, at.chunks);
    at.min_chunks = std::min(at.min_chunks, at.chunks);
  }
  // Open when the window began: that is its first moment, not a change in it.
  void carry(uint64_t bytes) {
    TimelineInterval& at = series_.front();
    at.bytes = at.max_bytes = at.min_bytes = at.bytes + bytes;
    at.chunks = at.max_chunks = at.min_chunks = at.chunks + 1;
  }
  void allocate(size_t interval, uint64_t bytes) {
    ++series_[interval].allocations;
    series_[interval].bytes_allocated += bytes;
  }
  TimelineSeries take() { return std::move(series_); }

 private:
  TimelineSeries series_;
};

class TimelineObserver : public SumObserver {
 public:
  TimelineObserver(const Timeline& timeline, const Clock& clock, const DomainSet& domains)
      : begin_ns_(timeline.begin_ns), clock_(clock), domains_(domains) {
    growers_.emplace_back(begin_ns_.size());
    growers_.emplace_back(begin_ns_.size());
    for (const Timeline::Part& site : timeline.sites)
      by_stack_[timeline.account->sites[site.index].stack] = add_grower();
    by_thread_.resize(timeline.analysis.threads.size(), kNone);
    for (const Timeline::Part& thread : timeline.threads) by_thread_[thread.index] = add_grower();
  }

  void changed(const SumChange& change) override {
    if (!domains_.has(change.domain)) return;
    go_to(interval_of(change.ticks));
    apply(growers_.front(), change);
    const auto found = by_stack_.find(change.stack);
    apply(growers_[found == by_stack_.end() ? kRest : found->second], change);
    if (by_thread_[change.thread] != kNone) apply(growers_[by_thread_[change.thread]], change);
  }

  void finish(Timeline& timeline) {
    go_to(begin_ns_.size() - 1);
    size_t next = 0;
    timeline.total = growers_[next++].take();
    timeline.rest = growers_[next++].take();
    for (Timeline::Part& site : timeline.sites) site.series = growers_[next++].take();
    for (Timeline::Part& thread : timeline.threads) thread.series = growers_[next++].take();
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kRest = 1;

  uint32_t add_grower() {
    growers_.emplace_back(begin_ns_.size());
    return static_cast<uint32_t>(growers_.size() - 1);
  }

  // Near the current one, nearly always: events come in the order of the clock. A time before the first is of the
  // first.
  size_t interval_of(uint64_t ticks) const {
    const uint64_t ns = clock_.ns_since_start(ticks);
    const bool is_current =
        ns >= begin_ns_[current_] && (current_ + 1 == begin_ns_.size() || ns < begin_ns_[current_ + 1]);
    if (is_current) return current_;
    return static_cast<size_t>(std::upper_bound(begin_ns_.begin() + 1, begin_ns_.end(), ns) - begin_ns_.begin()) - 1;
  }

  void go_to(size_t interval) {
    while (current_ < interval) {
      ++current_;
      for (Grower& grower : growers_) grower.begin(current_);
    }
  }

  void apply(Grower& grower, const SumChange& change) {
    switch (change.kind) {
      case SumChange::Kind::allocated: grower.allocate(interval_of(change.alloc_ticks), change.bytes); [[fallthrough]];
      case SumChange::Kind::reopened: return grower.change(current_, change.bytes, 1);
      case SumChange::Kind::carried: return grower.carry(change.bytes);
      case SumChange::Kind::closed: return grower.change(current_, -change.bytes, -uint64_t{1});
      case SumChange::Kind::shrunk: return grower.change(current_, -change.bytes, 0);
    }
  }

  const std::vector<uint64_t>& begin_ns_;
  const Clock& clock_;
  const DomainSet domains_;
  std::vector<Grower> growers_;  // of all together, of other sites, of the sites, of the threads
  tsl::robin_map<StackId, uint32_t> by_stack_;
  std::vector<uint32_t> by_thread_;
  size_t current_ = 0;
};

// Leaves the `top` greatest; returns how many have a contribution at all.
size_t keep_greatest(std::vector<Timeline::Part>& parts, size_t top) {
  std::erase_if(parts, [](const Timeline::Part& part) { return part.contribution() == 0; });
  const size_t all = parts.size();
  std::sort(parts.begin(), parts.end(), [](const Timeline::Part& a, const Timeline::Part& b) {
    return a.contribution() != b.contribution() ? a.contribution() > b.contribution() : a.index < b.index;
  });
  if (parts.size() > top) parts.resize(top);
  return all;
}

void choose_parts(Timeline& timeline, const std::vector<ThreadShares::Share>& shares, size_t top) {
  if (timeline.account) {
    const std::vector<Site>& sites = timeline.account->sites.all();
    for (uint32_t i = 0; i < sites.size(); ++i)
      timeline.sites.push_back({i, sites[i].at_peak_bytes, sites[i].open_bytes, {}});
  }
  for (uint32_t i = 0; i < shares.size(); ++i)
    timeline.threads.push_back({i, shares[i].at_peak_bytes, shares[i].bytes, {}});
  timeline.all_sites = keep_greatest(timeline.sites, top);
  timeline.all_threads = keep_greatest(timeline.threads, top);
}

void cut_time(Timeline& timeline, size_t points) {
  const uint64_t length = timeline.length_ns();
  const uint64_t count = std::clamp<uint64_t>(points, 1, std::max<uint64_t>(length, 1));
  // The products need more than 64 bits; whole and rest apart do not.
  const uint64_t whole = length / count, rest = length % count;
  for (uint64_t i = 0; i < count; ++i) timeline.begin_ns.push_back(timeline.from_ns + whole * i + rest * i / count);
}

size_t interval_at(const Timeline& timeline, uint64_t ns) {
  const std::vector<uint64_t>& begin = timeline.begin_ns;
  return static_cast<size_t>(std::upper_bound(begin.begin(), begin.end(), ns) - begin.begin()) - 1;
}

bool is_in_window(const Selection& selection, uint64_t ns) { return ns >= selection.from_ns && ns < selection.to_ns; }

void place_marks_and_samples(Timeline& timeline, const Trace& trace) {
  for (const Metadata::Mark& mark : trace.metadata.marks) {
    const uint64_t ns = trace.clock.ns_since_start(mark.ticks);
    if (!is_in_window(trace.selection, ns)) continue;
    timeline.marks.push_back({ns, interval_at(timeline, ns), &mark});
  }
  std::stable_sort(timeline.marks.begin(), timeline.marks.end(),
                   [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
  for (const format::MemorySample& sample : trace.samples) {
    const uint64_t ns = trace.clock.ns_since_start(sample.ticks);
    if (!is_in_window(trace.selection, ns)) continue;
    timeline.samples.push_back({ns, interval_at(timeline, ns), &sample});
  }
}

}  // namespace

double Timeline::per_second(uint64_t count, size_t interval) const {
  const uint64_t ns = end_ns(interval) - begin_ns[interval];
  return ns == 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(ns);
}

Timeline make_timeline(const Trace& trace, const SiteGroups* groups, const DomainSet& domains, size_t points,
                       size_t top, ProgressSink* progress) {
  ThreadShares shares(domains);
  Timeline timeline{.groups = groups, .analysis = analyse(trace, nullptr, progress, &shares)};
  timeline.account = timeline.analysis.account(domains);
  timeline.to_ns = timeline.analysis.end_ns();
  timeline.from_ns = std::min(timeline.analysis.from_ns(), timeline.to_ns);
  cut_time(timeline, points);
  choose_parts(timeline, shares.finish(), top);

  TimelineObserver observer(timeline, trace.clock, domains);
  analyse(trace, nullptr, progress, &observer);
  observer.finish(timeline);
  const auto highest =
      std::max_element(timeline.total.begin(), timeline.total.end(),
                       [](const TimelineInterval& a, const TimelineInterval& b) { return a.max_bytes < b.max_bytes; });
  timeline.peak_interval = static_cast<size_t>(highest - timeline.total.begin());
  place_marks_and_samples(timeline, trace);
  return timeline;
}

}  // namespace memprof
