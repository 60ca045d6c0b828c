#include "model/analysis.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "model/checkpoints.h"
#include "model/choice.h"
#include "model/fates.h"
#include "trace/byte_reader.h"

namespace memprof {

namespace {

// Threads are not worth their start for what one of them has done before the others run.
constexpr uint64_t kPagesOfOneThread = 32;
// Three steps of the pipeline are one thread's at a time, so more have nothing to do.
constexpr unsigned kMostThreads = 4;

// Of the latest event of all. Only the last pages are read.
uint64_t last_event_ticks(const TraceFile& file) {
  uint64_t latest = 0;
  std::vector<Event> events(1024);
  EventPage page;
  for (const StreamPages pages : file.streams(format::StreamKind::events)) {
    for (size_t number = pages.size(); number-- > 0;) {
      page.open(file, pages[number]);
      uint64_t last = 0;
      while (const size_t count = page.read(events)) last = events[count - 1].ticks;
      latest = std::max(latest, last);
      if (last != 0) break;
    }
  }
  return latest;
}

// Where the trace ends, by what is known when the last event of the window was `last_ticks`.
uint64_t duration_of(const Trace& trace, uint64_t last_ticks) {
  const format::FileHeader& header = trace.file.header();
  if (trace.file.closed_by_library() && header.end_ticks != 0) return trace.clock.ns_since_start(header.end_ticks);
  if (trace.selection.has_window()) last_ticks = std::max(last_ticks, last_event_ticks(trace.file));
  return trace.clock.ns_since_start(
      std::max({last_ticks, trace.file.last_page_point().ticks, trace.metadata.last_event_ticks}));
}

uint64_t end_of(const Trace& trace, uint64_t last_ticks) {
  return std::min(trace.selection.to_ns, duration_of(trace, last_ticks));
}

// Where an analysis begins: the bytes of a checkpoint, or with the first event.
using Start = std::optional<std::vector<std::byte>>;

// The last checkpoint before the window of the trace's selection.
Start checkpoint_before_window(const Trace& trace) {
  const uint64_t from_ticks = trace.clock.first_ticks_at(trace.selection.from_ns);
  return from_ticks == 0 ? std::nullopt : CheckpointFile(trace.file, trace.cache).state_before(from_ticks);
}

// One pass. A `choice` and a window belong to the trace's selection. How events are numbered depends on the start:
// passes that tell each other of them begin at the same.
class Pass {
 public:
  Pass(const Trace& trace, const Choice* choice, ChunkVisitor* visitor, const Start& start,
       const SitesByNumber* sites = nullptr)
      : trace_(trace), visitor_(visitor), feed_(trace.file) {
    config_ = Pairing::config_for(trace.file, trace.clock, feed_);
    config_.first_pause_ticks = trace.metadata.first_pause_ticks.value_or(0);
    config_.site_keys = trace.site_keys;
    config_.from_ticks = trace.clock.first_ticks_at(trace.selection.from_ns);
    config_.choice = choice;
    config_.sites = sites && !sites->empty() ? sites : nullptr;
    pairing_ = new_pairing();
    if (start) start_at(*start);
  }

  Analysis run(ProgressSink* progress, SumObserver* observer) {
    Merge merge(feed_, trace_.clock.first_ticks_at(trace_.selection.to_ns));
    if (!points_.empty()) merge.resume(points_, numbers_taken_);
    std::unique_ptr<Account> together;
    if (trace_.together) together = std::make_unique<Account>(SiteDirectory(trace_.nodes, true), 0);
    Summing summing(pairing_->accounts(), trace_.nodes, trace_.site_keys, observer);
    if (together) summing.add_up_together(*trace_.together, *together);
    std::optional<CheckpointWriter> checkpoints;
    if (leaves_checkpoints()) checkpoints.emplace(trace_.file, trace_.cache);
    if (visitor_) visitor_->begin(feed_.threads());
    Pipeline(feed_, merge, *pairing_, summing, progress, checkpoints ? &*checkpoints : nullptr).run(trace_.threads);
    if (checkpoints) checkpoints->finish();
    if (together) count_together(*together);
    return {trace_, feed_.threads(), std::move(*pairing_), std::move(together)};
  }

 private:
  std::unique_ptr<Pairing> new_pairing() const {
    return std::make_unique<Pairing>(trace_.domains, trace_.nodes, config_, visitor_);
  }

  bool leaves_checkpoints() const {
    return trace_.selection.is_everything() && trace_.site_keys.by == SiteKeys::By::stack &&
           !trace_.nodes.are_grouped() && CheckpointWriter::is_worth_it(trace_.file, trace_.cache);
  }

  void count_together(Account& together) const {
    const auto& accounts = pairing_->accounts();
    for (size_t index = 0; index < accounts.size(); ++index)
      if (accounts[index] && trace_.together->has(static_cast<uint16_t>(index))) together.add_counts(*accounts[index]);
  }

  void start_at(const std::vector<std::byte>& state) {
    ByteReader in(state);
    const std::optional<uint64_t> numbers = pairing_->restore(in);
    std::vector<StreamPoint> points(feed_.stream_count());
    bool is_good = numbers.has_value();
    for (StreamPoint& point : points) {
      uint64_t page = 0, events = 0, is_ahead = 0;
      is_good = is_good && in.read_varint(page) && in.read_varint(events) && in.read_varint(point.last_ticks) &&
                in.read_varint(point.key) && in.read_varint(is_ahead) && page <= UINT32_MAX && events <= UINT32_MAX;
      point.is_ahead = is_ahead != 0;
      point.position = {static_cast<uint32_t>(page), static_cast<uint32_t>(events)};
    }
    if (!is_good) {
      pairing_ = new_pairing();
      return;
    }
    numbers_taken_ = *numbers;
    for (uint32_t stream = 0; stream < points.size(); ++stream)
      feed_.start_at(stream, points[stream].position, points[stream].last_ticks);
    points_ = std::move(points);
  }

  const Trace& trace_;
  ChunkVisitor* visitor_;
  EventFeed feed_;
  Pairing::Config config_;
  std::unique_ptr<Pairing> pairing_;
  uint64_t numbers_taken_ = 0;       // by blocks of a checkpoint
  std::vector<StreamPoint> points_;  // of the checkpoint
};

// Those that count for a type.
SitesByNumber sites_by_number(const Start& start, const Trace& trace, ProgressSink* progress) {
  if (!trace.sites_of_types) return {};
  TypedSites typed(*trace.sites_of_types->types, trace.sites_of_types->site_of, trace.domains);
  Pass(trace, nullptr, &typed, start).run(progress, nullptr);
  return typed.take();
}

Analysis analyse_from(const Start& start, const Trace& trace, ChunkVisitor* visitor, ProgressSink* progress,
                      SumObserver* observer) {
  const Selection& selection = trace.selection;
  const SitesByNumber sites = sites_by_number(start, trace, progress);
  if (!selection.asks_for_allocation() && !selection.asks_for_fate())
    return Pass(trace, nullptr, visitor, start, &sites).run(progress, observer);
  Choice choice(selection, trace.nodes, EventFeed(trace.file).threads());
  if (selection.asks_for_fate()) {
    Fates fates(selection, trace.clock);
    const Analysis first = Pass(trace, &choice, &fates, start).run(progress, nullptr);
    choice.set_fates(fates.take(first.end_ns()));
  }
  return Pass(trace, &choice, visitor, start, &sites).run(progress, observer);
}

}  // namespace

unsigned Trace::default_threads(const TraceFile& file) {
  uint64_t pages = 0;
  for (const PageEntry& page : file.pages()) pages += page.kind == format::StreamKind::events;
  return pages <= kPagesOfOneThread ? 1 : std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
}

Analysis analyse(const Trace& trace, ChunkVisitor* visitor, ProgressSink* progress, SumObserver* observer) {
  return analyse_from(checkpoint_before_window(trace), trace, visitor, progress, observer);
}

Analysis analyse_from_begin(const Trace& trace, ChunkVisitor* visitor, ProgressSink* progress) {
  return analyse_from(std::nullopt, trace, visitor, progress, nullptr);
}

const Account* Analysis::account(const DomainSet& domains) const {
  if (const std::optional<uint16_t> only = domains.only()) return pairing.account(*only);
  if (!together || domains != *trace.together) throw std::logic_error("domains were not analysed together");
  return together.get();
}

uint64_t Analysis::duration_ns() const { return duration_of(trace, pairing.last_ticks()); }

uint64_t Analysis::end_ns() const { return end_of(trace, pairing.last_ticks()); }

}  // namespace memprof
