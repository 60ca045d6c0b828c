#include "model/analysis.h"

#include <algorithm>

namespace memprof {

namespace {

// A call a page would be noise; the bar is redrawn far less often anyway.
constexpr uint64_t kProgressPages = 64;

}  // namespace

Analysis analyse(const Trace& trace, ChunkVisitor* visitor, ProgressSink* progress, SumObserver* observer) {
  Merge merge(trace.file);
  Pairing::Config config = Pairing::config_for(trace.file, trace.clock, merge);
  config.site_keys = trace.site_keys;
  Pairing pairing(trace.domains, trace.nodes, config, visitor, observer);
  if (visitor) visitor->begin(merge.threads());
  Run run;
  uint64_t announced = 0;
  while (merge.next(run)) {
    pairing.process(run);
    if (progress && merge.pages_read() >= announced + kProgressPages) {
      announced = merge.pages_read();
      progress->advance(announced, merge.page_count());
    }
  }
  pairing.finish();
  return {trace, merge.threads(), std::move(pairing)};
}

uint64_t Analysis::duration_ns() const {
  const format::FileHeader& header = trace.file.header();
  if (trace.file.closed_by_library() && header.end_ticks != 0) return trace.clock.ns_since_start(header.end_ticks);
  return trace.clock.ns_since_start(std::max(pairing.last_ticks(), trace.file.last_page_point().ticks));
}

}  // namespace memprof
