#include "reach/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "reach/inherited_memory.h"

namespace memprof {

namespace {

// What a trace does not tell of could hold pointers. Empty: it tells everything.
std::string what_is_missing(const Trace& trace) {
  const TraceFile& file = trace.file;
  const format::FileHeader& header = file.header();
  const uint32_t flags = header.flags | header.live_flags;
  if (flags & format::kFiltered) return "MEMPROF_FILTER left blocks out of the trace";
  if (flags & format::kLateStart) return "recording began after the program, or was paused";
  if (trace.metadata.stripped.allocations != 0 || trace.metadata.window)
    return "blocks were left out when the trace was made of another one";
  uint64_t dropped = 0;
  for (const uint64_t events : header.dropped_events) dropped += events;
  if (dropped != 0) return fmt::format("{} {} dropped", dropped, dropped == 1 ? "event was" : "events were");
  if (header.stopped != 0) return "the recording was stopped early";
  if (!file.damage().warnings().empty()) return "the trace is damaged";
  return {};
}

// A snapshot from the middle of the run in place of the one that was to be taken at the end. Empty: it is none.
std::string not_of_the_end(const Trace& trace, const SnapshotImage& image) {
  constexpr std::string_view kSetting = "MEMPROF_SNAPSHOT=";
  std::string words;
  // An environment may have a name twice: the last one counts.
  for (const std::string& setting : trace.metadata.settings)
    if (setting.starts_with(kSetting)) words = fmt::format(",{},", setting.substr(kSetting.size()));
  const bool is_asked_for = words.find(",exit,") != words.npos;
  if (image.is_of_the_end() || !trace.file.closed_by_library() || !is_asked_for) return {};
  return fmt::format("the snapshot at exit is not there, or not whole: the last whole one was taken by {}",
                     image.begin.reason == format::SnapshotReason::signal ? "a signal" : "a call");
}

std::string unseen_threads(const SnapshotImage& image) {
  const auto is_unseen = [](const format::SnapshotThread& thread) {
    return thread.state != format::SnapshotThreadState::taking && thread.state != format::SnapshotThreadState::stopped;
  };
  const auto count = std::count_if(image.threads.begin(), image.threads.end(), is_unseen);
  if (count == 0) return {};
  return fmt::format("{} could not be stopped to be looked at (it blocks all signals, or does not run)",
                     count == 1 ? "a thread" : fmt::format("{} threads", count));
}

// A stack of a thread that ended, or that a fork left behind.
bool has_stack_of_nobody(const SnapshotImage& image) {
  const auto is_in_use = [&](const format::SnapshotRange& range) {
    return std::any_of(image.threads.begin(), image.threads.end(), [&](const format::SnapshotThread& thread) {
      const auto is_in = [&](uint64_t address) { return address >= range.start && address < range.end; };
      return is_in(thread.stack_pointer) || is_in(thread.thread_pointer);
    });
  };
  return std::any_of(image.ranges.begin(), image.ranges.end(), [&](const format::SnapshotRange& range) {
    return range.kind == format::SnapshotRangeKind::anonymous && (range.flags & format::kRangeAboveGuard) != 0 &&
           !is_in_use(range);
  });
}

}  // namespace

Classification::Classification(const Trace& trace, ProgressSink* progress) : trace_(trace) {
  FoundSnapshot found = find_snapshot(trace.file);
  problem_ = std::move(found.problem);
  if (problem_.empty()) problem_ = what_is_missing(trace);
  if (problem_.empty()) problem_ = not_of_the_end(trace, found.image);
  if (problem_.empty()) problem_ = unseen_threads(found.image);
  if (!problem_.empty()) return;
  InheritedMemory inherited = read_inherited_memory(trace, progress);
  problem_ = std::move(inherited.problem);
  image_ = std::move(found.image);
  inherited_ = std::move(inherited.memory);
  ancestors_ = std::move(inherited.ancestors);
  knows_lost_inherited_ = !inherited.had_threads && !has_stack_of_nobody(image_);
}

Classification::~Classification() = default;

ChunkVisitor* Classification::visitor(ChunkVisitor* next) {
  if (!problem_.empty()) return next;
  collector_ = std::make_unique<LiveMemoryCollector>(trace_, image_.begin.ticks, next);
  collector_->inherit(std::move(inherited_));
  return collector_.get();
}

void Classification::finish() {
  if (!problem_.empty()) return;
  memory_ = collector_->take();
  collector_.reset();
  graph_ = std::make_unique<BlockGraph>(trace_, image_, memory_);
  reachability_ = classify(*graph_);
}

std::optional<Reach> Classification::reach_of(uint64_t address, uint64_t alloc_ticks) const {
  if (!graph_) return std::nullopt;
  const uint32_t block = graph_->index().find(address);
  if (block == BlockIndex::kNone) return std::nullopt;
  const LiveBlock& found = memory_.blocks[block];
  if (found.address != address || found.alloc_ticks != alloc_ticks || found.is_inherited) return std::nullopt;
  return reachability_.of[block];
}

std::unique_ptr<Classification> classify_trace(Trace& trace, ProgressSink* progress) {
  auto result = std::make_unique<Classification>(trace, progress);
  if (!result->problem().empty()) return result;
  Selection asked = std::exchange(trace.selection, {});
  analyse_from_begin(trace, result->visitor(nullptr), progress);
  trace.selection = std::move(asked);
  result->finish();
  return result;
}

const char* reach_name(Reach reach) {
  switch (reach) {
    case Reach::definite: return "definite";
    case Reach::indirect: return "indirect";
    case Reach::possible: return "possible";
    case Reach::reachable: return "reachable";
  }
  return "";
}

}  // namespace memprof
