#include "model/analysis.h"

#include <algorithm>
#include <thread>

#include "model/choice.h"
#include "model/fates.h"

namespace memprof {

namespace {

// Threads are not worth their start for what one of them has done before the others run.
constexpr uint64_t kPagesOfOneThread = 32;
// Three steps of the pipeline are one thread's at a time, so more have nothing to do.
constexpr unsigned kMostThreads = 4;

// Where the trace ends, by what is known when its last event was `last_ticks`.
uint64_t duration_of(const Trace& trace, uint64_t last_ticks) {
  const format::FileHeader& header = trace.file.header();
  if (trace.file.closed_by_library() && header.end_ticks != 0) return trace.clock.ns_since_start(header.end_ticks);
  return trace.clock.ns_since_start(std::max(last_ticks, trace.file.last_page_point().ticks));
}

uint64_t end_of(const Trace& trace, uint64_t last_ticks) {
  return std::min(trace.selection.to_ns, duration_of(trace, last_ticks));
}

Analysis run(const Trace& trace, const Choice* choice, ChunkVisitor* visitor, ProgressSink* progress,
             SumObserver* observer, EventFeed& feed) {
  Merge merge(feed, trace.clock.first_ticks_at(trace.selection.to_ns));
  Pairing::Config config = Pairing::config_for(trace.file, trace.clock, feed);
  config.site_keys = trace.site_keys;
  config.from_ticks = trace.clock.first_ticks_at(trace.selection.from_ns);
  config.choice = choice;
  Pairing pairing(trace.domains, trace.nodes, config, visitor);
  Summing summing(pairing.accounts(), observer);
  if (visitor) visitor->begin(feed.threads());
  Pipeline(feed, merge, pairing, summing, progress).run(trace.threads);
  return {trace, feed.threads(), std::move(pairing)};
}

}  // namespace

unsigned Trace::default_threads(const TraceFile& file) {
  uint64_t pages = 0;
  for (const PageEntry& page : file.pages()) pages += page.kind == format::StreamKind::events;
  return pages <= kPagesOfOneThread ? 1 : std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
}

Analysis analyse(const Trace& trace, ChunkVisitor* visitor, ProgressSink* progress, SumObserver* observer) {
  EventFeed feed(trace.file);
  const Selection& selection = trace.selection;
  if (!selection.asks_for_allocation() && !selection.asks_for_fate())
    return run(trace, nullptr, visitor, progress, observer, feed);
  Choice choice(selection, trace.nodes, feed.threads());
  if (selection.asks_for_fate()) {
    EventFeed first(trace.file);
    Fates fates(selection, trace.clock);
    const uint64_t last_ticks = run(trace, &choice, &fates, progress, nullptr, first).pairing.last_ticks();
    choice.set_fates(fates.take(end_of(trace, last_ticks)));
  }
  return run(trace, &choice, visitor, progress, observer, feed);
}

uint64_t Analysis::duration_ns() const { return duration_of(trace, pairing.last_ticks()); }

uint64_t Analysis::end_ns() const { return end_of(trace, pairing.last_ticks()); }

}  // namespace memprof
