#include "report/diff_sites.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>

#include "model/fingerprint_match.h"
#include "report/selection_text.h"
#include "report/site_groups.h"
#include "report/site_list.h"

namespace memprof {

namespace {

// The fingerprint's hash; of groups by name that name, with the file of a function: where it lies differs.
using DiffKey = std::tuple<uint64_t, std::string, std::string>;
using Groups = std::map<DiffKey, DiffGroup>;

DiffKey key_of(const DiffGroup& group) {
  return {group.fingerprint.hash, group.name.name, std::string(base_name(group.name.module))};
}

Fingerprint fingerprint_of(const DiffSide& side, StackId stack, Fingerprinter& names) {
  std::vector<NamedFrame> frames;
  for (const Frame& frame : side.source->frames(stack, StackNodes::kMaxFrames))
    frames.push_back({frame.function, frame.module});
  return names.fingerprint(frames, side.trace->metadata.executable, side.trace->nodes.is_truncated(stack));
}

// Threads have other numbers in another run, and modules of another build lie elsewhere.
BlockGroups::Name name_in_any_run(const SiteGroups& groups, const Analysis& analysis, StackId site) {
  if (groups.by() == GroupBy::module) return {std::string(base_name(groups.name(analysis, site).name)), {}};
  if (groups.by() != GroupBy::thread) return groups.name(analysis, site);
  const std::string name = thread_name(analysis.trace, analysis.threads[groups.thread_of(site)]);
  return {name.empty() ? "(no name)" : name, {}};
}

double divisor_of(const DiffSide& side, DiffPer per) {
  switch (per) {
    case DiffPer::nothing: return 1;
    case DiffPer::second: return static_cast<double>(std::max<uint64_t>(side.duration_ns, 1)) / 1e9;
    case DiffPer::allocation: return static_cast<double>(std::max<uint64_t>(side.allocations, 1));
  }
  return 1;
}

// Analyses one trace; of all that this takes only the groups stay.
Groups read_side(DiffSide& side, Trace& trace, const ReportOptions& options, Fingerprinter& names,
                 ProgressSink* progress) {
  const std::unique_ptr<SiteGroups> by_name = groups_for(trace, options);
  const Analysis analysis = analyse(trace, nullptr, progress);
  side.duration_ns = analysis.end_ns() - std::min(analysis.from_ns(), analysis.end_ns());
  const DomainSet domains = named_domains(*side.trace, options.domain).domains;
  const Account* account = domains.is_empty() ? nullptr : analysis.account(domains);
  if (options.filters.has_window()) side.window = window_json(analysis, account);
  if (account) side.allocations = account->allocations;
  side.divisor = divisor_of(side, options.per);
  Groups groups;
  if (!account) return groups;
  // A stack's own peak has no sum that means something: 100 % is the peak of all.
  if (options.by == RankBy::peak) side.total.bytes = rank_total(*account, options.by);

  std::vector<StackId> stacks;
  for (const Site& site : account->sites.all())
    if (!diff_amount(site, options.by).is_zero()) stacks.push_back(site.stack);
  if (!by_name) side.source->prepare(stacks);
  std::map<DiffKey, DiffAmount> largest;
  for (const Site& site : account->sites.all()) {
    const DiffAmount amount = diff_amount(site, options.by);
    if (amount.is_zero()) continue;
    ++side.stacks;
    if (options.by != RankBy::peak) {
      side.total.bytes += amount.bytes;
      side.total.blocks += amount.blocks;
    }
    DiffGroup place;
    if (by_name)
      place.name = name_in_any_run(*by_name, analysis, site.stack);
    else
      place.fingerprint = fingerprint_of(side, site.stack, names);
    const DiffKey key = key_of(place);
    DiffGroup& group = groups[key];
    DiffAmount& most = largest[key];
    if (group.stacks == 0 || std::pair(amount.bytes, amount.blocks) > std::pair(most.bytes, most.blocks)) {
      group.stack = site.stack;
      group.tag = site.tag;
      most = amount;
    }
    group.fingerprint = std::move(place.fingerprint);
    group.name = std::move(place.name);
    group.amount.bytes += amount.bytes;
    group.amount.blocks += amount.blocks;
    ++group.stacks;
  }
  return groups;
}

class Comparison {
 public:
  Comparison(Diff& diff, const ReportOptions& options) : diff_(diff), options_(options) {}

  void pair_up(Groups before, Groups after) {
    std::vector<DiffGroup> gone, added;
    for (auto& [key, group] : before) {
      const auto partner = after.find(key);
      if (partner == after.end()) {
        gone.push_back(std::move(group));
      } else {
        add(std::move(group), std::move(partner->second), 1);
        after.erase(partner);
      }
    }
    for (auto& [key, group] : after) added.push_back(std::move(group));
    pair_weakly(gone, added);
    std::sort(diff_.entries.begin(), diff_.entries.end(), [](const DiffEntry& a, const DiffEntry& b) {
      const bool a_same = a.status == DiffStatus::same, b_same = b.status == DiffStatus::same;
      if (a_same != b_same) return b_same;
      const double a_change = std::abs(a.change()), b_change = std::abs(b.change());
      if (a_change != b_change) return a_change > b_change;
      return key_of(a.shown()) < key_of(b.shown());
    });
  }

 private:
  void pair_weakly(std::vector<DiffGroup>& gone, std::vector<DiffGroup>& added) {
    // Another name is another group.
    const std::vector<WeakMatch> matches =
        options_.group == GroupBy::stack ? match_weakly(candidates(gone), candidates(added), &diff_.compared_all_weakly)
                                         : std::vector<WeakMatch>();
    std::vector<bool> is_paired_old(gone.size()), is_paired_new(added.size());
    for (const WeakMatch& match : matches) {
      is_paired_old[match.old_index] = is_paired_new[match.new_index] = true;
      add(std::move(gone[match.old_index]), std::move(added[match.new_index]), std::min(match.similarity, 0.99));
    }
    for (size_t i = 0; i < gone.size(); ++i)
      if (!is_paired_old[i]) add(std::move(gone[i]), std::nullopt, 1);
    for (size_t i = 0; i < added.size(); ++i)
      if (!is_paired_new[i]) add(std::nullopt, std::move(added[i]), 1);
  }

  static std::vector<MatchCandidate> candidates(const std::vector<DiffGroup>& groups) {
    std::vector<MatchCandidate> result;
    for (const DiffGroup& group : groups) {
      const double blocks = static_cast<double>(group.amount.blocks);
      result.push_back({&group.fingerprint, blocks == 0 ? 0 : static_cast<double>(group.amount.bytes) / blocks});
    }
    return result;
  }

  void add(std::optional<DiffGroup> before, std::optional<DiffGroup> after, double similarity) {
    DiffEntry entry{DiffStatus::same, std::move(before), std::move(after), similarity};
    const double old_blocks = blocks(entry.before, diff_.before), new_blocks = blocks(entry.after, diff_.after);
    if ((rank_info(options_.by).unit == RankUnit::blocks)) {
      entry.old_value = old_blocks;
      entry.new_value = new_blocks;
    } else {
      entry.old_value = bytes(entry.before, diff_.before);
      entry.new_value = bytes(entry.after, diff_.after);
    }
    if (!entry.before)
      entry.status = DiffStatus::added;
    else if (!entry.after)
      entry.status = DiffStatus::gone;
    else if (entry.change() != 0)
      entry.status = entry.change() > 0 ? DiffStatus::grown : DiffStatus::shrunk;
    else if (old_blocks != new_blocks)
      entry.status = new_blocks > old_blocks ? DiffStatus::grown : DiffStatus::shrunk;
    if (entry.status != DiffStatus::same && is_small(entry)) {
      ++diff_.hidden;
      return;
    }
    diff_.entries.push_back(std::move(entry));
  }

  static double bytes(const std::optional<DiffGroup>& group, const DiffSide& side) {
    return group ? static_cast<double>(group->amount.bytes) / side.divisor : 0;
  }
  static double blocks(const std::optional<DiffGroup>& group, const DiffSide& side) {
    return group ? static_cast<double>(group->amount.blocks) / side.divisor : 0;
  }

  bool is_small(const DiffEntry& entry) const {
    const double change = std::abs(entry.change());
    if (options_.min_bytes && change < static_cast<double>(*options_.min_bytes)) return true;
    return options_.min_percent && 100 * change < *options_.min_percent * larger_total();
  }

  double larger_total() const {
    const auto total = [&](const DiffSide& side) {
      return static_cast<double>((rank_info(options_.by).unit == RankUnit::blocks) ? side.total.blocks
                                                                                   : side.total.bytes) /
             side.divisor;
    };
    return std::max(total(diff_.before), total(diff_.after));
  }

  Diff& diff_;
  const ReportOptions& options_;
};

}  // namespace

bool rank_has_bytes(RankBy by) { return by != RankBy::temporary; }
bool rank_has_blocks(RankBy by) { return by != RankBy::peak; }

DiffAmount diff_amount(const Site& site, RankBy by) {
  switch (by) {
    case RankBy::open: return {site.open_bytes, site.open_chunks};
    case RankBy::peak: return {site.peak_bytes, 0};
    case RankBy::at_peak: return {site.at_peak_bytes, site.at_peak_chunks};
    case RankBy::allocated:
    case RankBy::allocations: return {site.bytes_allocated, site.allocations};
    case RankBy::temporary: return {0, site.temporary};
    case RankBy::lifetime:
    case RankBy::realloc_growth: break;  // refused by the command line
  }
  return {};
}

const char* diff_status_name(DiffStatus status) {
  switch (status) {
    case DiffStatus::added: return "new";
    case DiffStatus::gone: return "gone";
    case DiffStatus::grown: return "grown";
    case DiffStatus::shrunk: return "shrunk";
    case DiffStatus::same: break;
  }
  return "same";
}

uint64_t Diff::count(DiffStatus status) const {
  return static_cast<uint64_t>(
      std::count_if(entries.begin(), entries.end(), [&](const DiffEntry& entry) { return entry.status == status; }));
}

Diff compare_traces(Trace& before, FrameSource& before_source, Trace& after, FrameSource& after_source,
                    const ReportOptions& options, ProgressSink* progress) {
  Diff diff;
  diff.before.trace = &before;
  diff.before.source = &before_source;
  diff.after.trace = &after;
  diff.after.source = &after_source;
  Groups old_groups = read_side(diff.before, before, options, diff.names, progress);
  Groups new_groups = read_side(diff.after, after, options, diff.names, progress);
  Comparison(diff, options).pair_up(std::move(old_groups), std::move(new_groups));
  return diff;
}

}  // namespace memprof
