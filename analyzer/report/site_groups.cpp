#include "report/site_groups.h"

#include <tsl/robin_set.h>

#include <optional>
#include <utility>

namespace memprof {

SiteGroups::SiteGroups(Trace& trace, GroupBy by, const SymbolOptions& symbols)
    : trace_(trace), groups_(trace, by, symbols), first_(trace.nodes.add_groups(groups_.count())) {
  if (by == GroupBy::thread) trace.site_keys = {SiteKeys::By::thread, first_};
  if (!groups_.of_tags().empty()) trace.site_keys = {SiteKeys::By::tag, first_, &groups_.of_tags()};
  if (groups_.of_stacks().empty()) return;
  std::vector<StackId> group_of = groups_.of_stacks();
  for (StackId& group : group_of) group += first_;
  trace.nodes.group_stacks(group_of);
  if (!groups_.types() || groups_.types()->names().empty()) return;
  trace.sites_of_types = {groups_.types(), [this](uint32_t type, StackId) -> std::optional<StackId> {
                            const std::optional<uint32_t> group = groups_.of_type(type);
                            return group ? std::optional(first_ + *group) : std::nullopt;
                          }};
}

SiteGroups::~SiteGroups() {
  trace_.site_keys = {};
  trace_.sites_of_types.reset();
  trace_.nodes.ungroup_stacks();
}

namespace {

uint64_t pair_key(uint32_t group, uint32_t other) { return uint64_t{group} << 32 | other; }

// The pairs of all blocks that the trace's selection chooses.
class PairFinder : public ChunkVisitor {
 public:
  PairFinder(const Trace& trace, const BlockGroups& groups, PairedSites::With with)
      : trace_(trace), groups_(groups), with_(with) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override {
    note(domain, address, chunk, stack, release.event.ticks);
  }
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool) override {
    note(domain, address, chunk, stack, UINT64_MAX);
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  std::vector<PairedSites::Pair> take() { return std::move(all_); }

 private:
  void note(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, uint64_t end_ticks) {
    uint32_t group = groups_.of(stack, chunk.tag, chunk.thread);
    if (const BlockTypes* const types = groups_.types())
      if (const auto type = types->type_of(trace_.domains.all()[domain].number, address, chunk.alloc_ticks, end_ticks))
        group = groups_.of_type(*type).value_or(group);
    const uint32_t other = with_ == PairedSites::With::stack ? stack : chunk.thread;
    if (known_.insert(pair_key(group, other)).second) all_.push_back({group, other});
  }

  const Trace& trace_;
  const BlockGroups& groups_;
  const PairedSites::With with_;
  tsl::robin_set<uint64_t, KeyedHash> known_;
  std::vector<PairedSites::Pair> all_;
};

}  // namespace

PairedSites::PairedSites(Trace& trace, const BlockGroups& groups, With with, ProgressSink* progress) : trace_(trace) {
  PairFinder finder(trace, groups, with);
  analyse(trace, &finder, progress);
  all_ = finder.take();
  pairs_.first = trace.nodes.add_groups(all_.size());
  for (size_t i = 0; i < all_.size(); ++i)
    pairs_.ids.emplace(pair_key(all_[i].group, all_[i].other), pairs_.first + static_cast<StackId>(i));
  pairs_.pair_of = [&trace, &groups, with](StackId stack, uint16_t tag, uint32_t thread) {
    const StackId known = trace.nodes.canonical(stack);
    return pair_key(groups.of(known, tag, thread), with == With::stack ? known : thread);
  };
  trace.site_keys = {SiteKeys::By::pair, pairs_.first, nullptr, &pairs_};
  if (!groups.types() || groups.types()->names().empty()) return;
  // A block with a type counts for no thread here: its pair is found by its stack.
  trace.sites_of_types = {groups.types(), [this, &groups](uint32_t type, StackId stack) -> std::optional<StackId> {
                            const std::optional<uint32_t> group = groups.of_type(type);
                            if (!group) return std::nullopt;
                            const auto found = pairs_.ids.find(pair_key(*group, trace_.nodes.canonical(stack)));
                            return found == pairs_.ids.end() ? std::nullopt : std::optional(found->second);
                          }};
}

PairedSites::~PairedSites() {
  trace_.site_keys = {};
  trace_.sites_of_types.reset();
}

}  // namespace memprof
