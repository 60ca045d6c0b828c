#include "gate/trace_findings.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "gate/double_frees.h"
#include "model/fingerprint.h"
#include "reach/classification.h"
#include "report/domain_choice.h"
#include "report/ending.h"
#include "report/mismatches.h"

namespace memprof {

namespace {

FindingKind kind_of(Reach reach) {
  switch (reach) {
    case Reach::definite: return FindingKind::definite;
    case Reach::indirect: return FindingKind::indirect;
    case Reach::possible: return FindingKind::possible;
    case Reach::reachable: break;
  }
  return FindingKind::reachable;
}

// Stacks become places: many stacks, one fingerprint.
class PlaceList {
 public:
  PlaceList(const Trace& trace, FrameSource& source) : trace_(trace), source_(source) {}

  struct Amount {
    uint64_t blocks = 0, bytes = 0, indirect_blocks = 0, indirect_bytes = 0;
  };

  void add(FindingKind kind, StackId stack, uint16_t tag, const Amount& amount) {
    Finding& finding = find_or_add(kind, stack, tag, {});
    add_to(finding, amount);
  }
  void add_free(FindingKind kind, StackId stack, uint16_t tag, StackId free_stack, uint16_t free_tag,
                const Amount& amount) {
    Finding& finding = find_or_add(kind, stack, tag, trace_.domains.tag_name(free_tag));
    keep_least(finding.free_frames, frames_of(free_stack));
    add_to(finding, amount);
  }

  uint64_t fingerprint_of(StackId stack) { return place_of(stack).fingerprint; }

  std::vector<Finding> take() {
    std::vector<Finding> findings;
    for (auto& [key, finding] : findings_) findings.push_back(std::move(finding));
    return findings;
  }

 private:
  struct Place {
    uint64_t fingerprint;
    std::vector<std::string> names;
    std::vector<FindingFrame> frames;
  };

  static void add_to(Finding& finding, const Amount& amount) {
    finding.blocks += amount.blocks;
    finding.bytes += amount.bytes;
    finding.indirect_blocks += amount.indirect_blocks;
    finding.indirect_bytes += amount.indirect_bytes;
  }

  std::vector<FindingFrame> frames_of(StackId stack) {
    std::vector<FindingFrame> frames;
    for (const Frame& frame : source_.frames(stack, StackNodes::kMaxFrames))
      frames.push_back({std::string(frame.function), std::string(frame.linkage_name), std::string(frame.file),
                        frame.line, std::string(frame.module), frame.offset, frame.inlined});
    return frames;
  }

  const Place& place_of(StackId stack) {
    const auto found = places_.find(stack);
    if (found != places_.end()) return found->second;
    Place place{0, {}, frames_of(stack)};
    std::vector<NamedFrame> named;
    for (const FindingFrame& frame : place.frames) named.push_back({frame.function, frame.module});
    const Fingerprint fingerprint =
        names_.fingerprint(named, trace_.metadata.executable, trace_.nodes.is_truncated(stack));
    place.fingerprint = fingerprint.hash;
    for (const uint32_t name : fingerprint.names) place.names.emplace_back(names_.name(name));
    return places_.emplace(stack, std::move(place)).first->second;
  }

  Finding& find_or_add(FindingKind kind, StackId stack, uint16_t tag, std::string free_function) {
    const Place& place = place_of(stack);
    std::string allocator = trace_.domains.tag_name(tag);
    Finding& finding = findings_[{kind, place.fingerprint, allocator, free_function}];
    if (finding.allocator.empty()) {
      finding.kind = kind;
      finding.fingerprint = place.fingerprint;
      finding.names = place.names;
      finding.allocator = std::move(allocator);
      finding.frames = place.frames;
      finding.is_truncated = trace_.nodes.is_truncated(stack);
      finding.free_function = std::move(free_function);
    } else {
      keep_least(finding.frames, place.frames);
    }
    return finding;
  }

  const Trace& trace_;
  FrameSource& source_;
  Fingerprinter names_;
  std::map<StackId, Place> places_;
  std::map<std::tuple<FindingKind, uint64_t, std::string, std::string>, Finding> findings_;
};

// Blocks of a kind that one stack allocated by one function.
using LeakSums = std::map<std::tuple<Reach, StackId, uint16_t>, PlaceList::Amount>;

// By the trace that has the stacks: 0 is the process's own, others are LiveBlock::ancestor.
class LeakAccount {
 public:
  LeakAccount(const Trace& trace, const Classification& classes, const JudgedBlocks& judged, const Rules& rules,
              ReportedBlocks* reported)
      : trace_(trace),
        classes_(classes),
        judged_(judged),
        rules_(rules),
        blocks_(classes.memory().blocks),
        reported_(reported) {
    for (uint32_t i = 0; i < blocks_.size(); ++i)
      if (counts(i)) add(i);
  }

  const std::map<uint8_t, LeakSums>& by_ancestor() const { return sums_; }
  const Trace& trace_of(uint8_t ancestor) const { return ancestor == 0 ? trace_ : *ancestors_.at(ancestor); }

 private:
  // What was inherited and is in use is the parent's.
  bool counts(uint32_t i) {
    const LiveBlock& block = blocks_[i];
    const bool is_lost = classes_.reach().of[i] != Reach::reachable;
    if (!block.is_inherited) {
      if (!judged_.has(block.tag)) return false;
      if (is_lost && reported_) reported_->add(trace_.file.header(), block);
      return true;
    }
    if (!is_lost || !classes_.knows_lost_inherited()) return false;
    const Trace& ancestor = classes_.ancestor(block);
    if (!judges_inherited(block, ancestor)) return false;
    if (reported_ && !reported_->add(ancestor.file.header(), block)) return false;
    ancestors_[block.ancestor] = &ancestor;
    return true;
  }

  // Its tag is the ancestor's.
  bool judges_inherited(const LiveBlock& block, const Trace& ancestor) {
    if (!judged_.is_some()) return true;
    return judged_of_ancestors_.try_emplace(block.ancestor, ancestor, rules_).first->second.has(block.tag);
  }

  void add(uint32_t i) {
    PlaceList::Amount& sum = sum_of(i);
    ++sum.blocks;
    sum.bytes += blocks_[i].size;
    const uint32_t leader = classes_.reach().leader[i];
    if (classes_.reach().of[i] != Reach::indirect) return;
    if (blocks_[leader].is_inherited != blocks_[i].is_inherited) return;  // its leader may not be told of
    if (!blocks_[leader].is_inherited && !judged_.has(blocks_[leader].tag)) return;
    PlaceList::Amount& led = sum_of(leader);
    ++led.indirect_blocks;
    led.indirect_bytes += blocks_[i].size;
  }

  PlaceList::Amount& sum_of(uint32_t i) {
    const LiveBlock& block = blocks_[i];
    const StackId stack = block.is_inherited ? block.ancestor_stack : block.stack;
    return sums_[block.ancestor][{classes_.reach().of[i], stack, block.tag}];
  }

  const Trace& trace_;
  const Classification& classes_;
  const JudgedBlocks& judged_;
  const Rules& rules_;
  const std::vector<LiveBlock>& blocks_;
  ReportedBlocks* const reported_;
  std::map<uint8_t, LeakSums> sums_;
  std::map<uint8_t, const Trace*> ancestors_;
  std::map<uint8_t, JudgedBlocks> judged_of_ancestors_;
};

void add_leaks(const LeakSums& sums, FrameSource& source, PlaceList& places) {
  source.prepare_each(sums, [](const auto& entry) { return std::get<StackId>(entry.first); });
  for (const auto& [key, amount] : sums)
    if (amount.blocks != 0)
      places.add(kind_of(std::get<Reach>(key)), std::get<StackId>(key), std::get<uint16_t>(key), amount);
}

// The C library gives a stream its buffer when it is first written to. It is lost with the stream, if at all.
bool is_stream_buffer(const std::vector<Frame>& frames) {
  return std::any_of(frames.begin(), frames.end(), [](const Frame& frame) {
    return frame.function == "_IO_file_doallocate" || frame.linkage_name == "_IO_file_doallocate";
  });
}

std::vector<Finding> find_unjudged(const Trace& trace, const Classification& classes, const JudgedBlocks& judged,
                                   FrameSource& source) {
  if (classes.image().is_of_the_end()) return {};
  const auto& later = classes.memory().later;
  source.prepare_each(later, [](const auto& entry) { return entry.first.first; });
  PlaceList places(trace, source);
  for (const auto& [key, sum] : later) {
    const auto& [stack, tag] = key;
    if (judged.has(tag) && !is_stream_buffer(source.frames(stack, StackNodes::kMaxFrames)))
      places.add(FindingKind::definite, stack, tag, {sum.blocks, sum.bytes});
  }
  return places.take();
}

// After the frames of all leaks are known.
std::vector<ScopeLeaks> find_scope_leaks(const ScopeTimeline& timeline, const Analysis& analysis,
                                         const Classification& classes, const JudgedBlocks& judged, PlaceList& places) {
  std::map<size_t, std::map<std::tuple<Reach, uint64_t, uint16_t>, PlaceList::Amount>> leaks;
  const auto& blocks = classes.memory().blocks;
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    const Reach reach = classes.reach().of[i];
    if (blocks[i].is_inherited || reach == Reach::reachable || !judged.has(blocks[i].tag)) continue;
    const auto scope = timeline.scope_of(analysis.threads[blocks[i].thread].serial, blocks[i].alloc_ticks);
    if (!scope) continue;
    PlaceList::Amount& sum = leaks[*scope][{reach, places.fingerprint_of(blocks[i].stack), blocks[i].tag}];
    ++sum.blocks;
    sum.bytes += blocks[i].size;
  }
  std::vector<ScopeLeaks> result;
  for (const auto& [scope, parts] : leaks) {
    result.push_back({timeline.scopes()[scope], {}});
    for (const auto& [key, sum] : parts)
      result.back().parts.push_back({kind_of(std::get<Reach>(key)), std::get<uint64_t>(key),
                                     analysis.trace.domains.tag_name(std::get<uint16_t>(key)), sum.blocks, sum.bytes});
  }
  return result;
}

// What another program took the place of left nothing behind.
bool is_replaced(const TraceFile& file) {
  return file.closed_by_library() && file.header().end_state == format::EndState::exec;
}

JudgedTrace describe(const Analysis& analysis, const Classification& classes) {
  const TraceFile& file = analysis.trace.file;
  JudgedTrace judged;
  judged.path = file.name();
  judged.pid = file.header().pid;
  judged.parent_pid = file.header().parent_pid;
  judged.executable = analysis.trace.metadata.executable;
  judged.command = analysis.trace.metadata.command;
  judged.duration_ns = analysis.duration_ns();
  judged.is_complete = file.complete();
  judged.dropped_events = dropped_events(file);
  if (!is_replaced(file)) judged.why_unclassified = classes.problem();
  return judged;
}

void describe_sums(const Account* account, JudgedTrace& judged) {
  if (!account) return;
  judged.allocations = account->allocations;
  judged.bytes_allocated = account->bytes_allocated;
  judged.temporary = account->temporary;
  judged.peak_bytes = account->sites.peak_bytes();
}

// The sums of what is judged, where that is not the whole heap: another pass, of the chosen blocks.
void sum_up_judged(Trace& trace, const Rules& rules, const JudgedBlocks& judged, FrameSource& source,
                   ProgressSink* progress, TraceFindings& result) {
  result.unknown = judged.unknown();
  BudgetSums budgets(trace, rules.budgets, judged.domains(), source);
  Selection chosen;
  chosen.tag = [&judged](uint16_t tag) { return judged.has(tag); };
  const Selection whole = std::exchange(trace.selection, std::move(chosen));
  choose_domains(trace, judged.domains());
  const Analysis analysis = analyse(trace, nullptr, progress, rules.budgets.empty() ? nullptr : &budgets);
  if (!judged.domains().is_empty()) describe_sums(analysis.account(judged.domains()), result.trace);
  result.chosen_allocations = result.trace.allocations;
  result.budgets = budgets.sums();
  trace.selection = whole;
  trace.together.reset();
}

}  // namespace

TraceFindings find_in_trace(Trace& trace, const Rules& rules, const SymbolOptions& symbols, ProgressSink* progress,
                            ReportedBlocks* reported) {
  FrameSource source(trace, symbols);
  Classification classes(trace, progress);
  UnknownFrees unknown;
  const JudgedBlocks judged(trace, rules);
  BudgetSums budgets(trace, rules.budgets, judged.domains(), source);
  const Analysis analysis = analyse(trace, classes.visitor(&unknown), progress,
                                    rules.budgets.empty() || judged.is_some() ? nullptr : &budgets);
  classes.finish();

  TraceFindings result;
  result.trace = describe(analysis, classes);
  if (judged.is_some()) {
    sum_up_judged(trace, rules, judged, source, progress, result);
  } else {
    describe_sums(analysis.heap(), result.trace);
    result.budgets = budgets.sums();
  }
  PlaceList places(trace, source);
  const ScopeTimeline timeline(trace.metadata, trace.file.header());
  result.has_scopes = !timeline.scopes().empty() && judged.has_heap();
  if (classes.problem().empty()) {
    const LeakAccount account(trace, classes, judged, rules, reported);
    for (const auto& [ancestor, sums] : account.by_ancestor()) {
      if (ancestor == 0) {
        add_leaks(sums, source, places);
        continue;
      }
      const Trace& inherited_from = account.trace_of(ancestor);
      FrameSource frames(inherited_from, symbols);
      PlaceList inherited(inherited_from, frames);
      add_leaks(sums, frames, inherited);
      for (Finding& finding : inherited.take()) result.findings.push_back(std::move(finding));
    }
    if (!is_replaced(trace.file)) result.unjudged = find_unjudged(trace, classes, judged, source);
    if (result.has_scopes) result.scope_leaks = find_scope_leaks(timeline, analysis, classes, judged, places);
  }
  for (const MismatchGroup& group : confirm_mismatches(analysis, source).groups) {
    if (!judged.has(group.alloc_tag)) continue;
    places.add_free(FindingKind::mismatched_free, group.alloc_stack, group.alloc_tag, group.free_stack, group.free_tag,
                    {group.count, group.bytes});
  }
  for (const DoubleFree& twice : find_double_frees(trace, unknown, progress)) {
    if (!judged.has(twice.alloc_tag)) continue;
    places.add_free(FindingKind::double_free, twice.alloc_stack, twice.alloc_tag, twice.free_stack, twice.free_tag,
                    {1, twice.size});
  }
  for (Finding& finding : places.take()) result.findings.push_back(std::move(finding));
  for (const std::string& line : trace.file.damage().warnings()) result.warnings.push_back(line);
  for (const std::string& line : timeline.warnings()) result.warnings.push_back(line);
  for (const std::string& line : source.symbol_problems()) result.warnings.push_back(line);
  return result;
}

}  // namespace memprof
