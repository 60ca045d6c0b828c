#include "gate/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "gate/builtin_suppressions.h"
#include "gate/finding_text.h"
#include "gate/own_stacks.h"
#include "gate/scope_limits.h"
#include "report/numbers.h"

namespace memprof {

namespace {

std::vector<Finding> merge_traces(std::vector<TraceFindings>& traces) {
  std::map<std::tuple<FindingKind, uint64_t, std::string, std::string>, Finding> merged;
  for (size_t i = 0; i < traces.size(); ++i) {
    for (Finding& finding : traces[i].findings) {
      const auto key = std::make_tuple(finding.kind, finding.fingerprint, finding.allocator, finding.free_function);
      const auto [found, is_new] = merged.try_emplace(key, Finding{});
      Finding& sum = found->second;
      if (is_new) {
        sum = std::move(finding);
      } else {
        sum.blocks += finding.blocks;
        sum.bytes += finding.bytes;
        sum.indirect_blocks += finding.indirect_blocks;
        sum.indirect_bytes += finding.indirect_bytes;
        keep_least(sum.frames, finding.frames);
        keep_least(sum.free_frames, finding.free_frames);
      }
      // A process may have inherited some of the blocks: two findings of one trace.
      if (sum.traces.empty() || sum.traces.back() != i) sum.traces.push_back(i);
    }
  }
  std::vector<Finding> findings;
  for (auto& [key, finding] : merged) findings.push_back(std::move(finding));
  return findings;
}

// Of those that are built in nobody wants to hear but where they did something.
void suppress(Suppressions suppressions, Verdict& verdict) {
  suppressions.apply(verdict.findings);
  std::vector<size_t> new_index;
  for (const SuppressionUse& use : suppressions.uses()) {
    new_index.push_back(verdict.suppressions.size());
    if (!use.is_built_in() || use.findings != 0) verdict.suppressions.push_back(use);
  }
  for (Finding& finding : verdict.findings)
    if (finding.suppression) finding.suppression = new_index[*finding.suppression];
}

void decide_failures(std::vector<Finding>& findings, const Rules& rules) {
  for (Finding& finding : findings) {
    if (!finding.counts() || finding.status == FindingStatus::known) continue;
    const bool is_growth = finding.status == FindingStatus::added || finding.status == FindingStatus::grown;
    finding.fails = finding.kind == FindingKind::reachable ? rules.fail_on_reachable_growth && is_growth
                                                           : rules.fail_on.contains(finding.kind);
  }
}

void mark_judged(const std::vector<TraceFindings>& traces, const Rules& rules, std::vector<Finding>& findings) {
  const bool has_scopes = std::any_of(traces.begin(), traces.end(), std::mem_fn(&TraceFindings::has_scopes));
  for (Finding& finding : findings)
    finding.is_judged = rules.judges(finding.kind) || (has_scopes && rules.counts_as_leaked(finding.kind));
}

void sort_findings(std::vector<Finding>& findings) {
  const auto rank = [](const Finding& finding) {
    return finding.fails ? 0 : finding.counts() ? 1 : finding.status == FindingStatus::fixed ? 3 : 2;
  };
  std::sort(findings.begin(), findings.end(), [&](const Finding& a, const Finding& b) {
    const uint64_t bytes_a = a.bytes + a.indirect_bytes, bytes_b = b.bytes + b.indirect_bytes;
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    if (a.kind != b.kind) return a.kind < b.kind;
    if (bytes_a != bytes_b) return bytes_a > bytes_b;
    return std::tie(a.names, a.allocator, a.free_function) < std::tie(b.names, b.allocator, b.free_function);
  });
}

class LimitCheck {
 public:
  explicit LimitCheck(std::vector<BrokenLimit>& broken) : broken_(broken) {}

  void check(const char* rule, const char* quantity, const std::optional<uint64_t>& limit, uint64_t found,
             const std::string& subject = {}, std::optional<size_t> finding = std::nullopt) {
    if (limit && found > *limit) broken_.push_back({rule, subject, quantity, *limit, found, finding});
  }

 private:
  std::vector<BrokenLimit>& broken_;
};

// What is known is allowed: the limits are for the rest.
struct LeakedAmount {
  uint64_t bytes = 0, blocks = 0;
};
LeakedAmount limited_part(const Finding& finding, const Rules& rules) {
  if (!finding.counts() || !rules.counts_as_leaked(finding.kind)) return {};
  const auto more = [](uint64_t now, uint64_t before) { return now > before ? now - before : 0; };
  return {more(finding.bytes, finding.baseline_bytes), more(finding.blocks, finding.baseline_blocks)};
}

void check_limits(const std::vector<TraceFindings>& traces, const Rules& rules, Verdict& verdict) {
  LimitCheck limits(verdict.broken_limits);
  uint64_t leaked_bytes = 0, leaked_blocks = 0, allocations = 0, temporary = 0, peak = 0;
  for (const Finding& finding : verdict.findings) {
    const LeakedAmount part = limited_part(finding, rules);
    leaked_bytes += part.bytes;
    leaked_blocks += part.blocks;
  }
  for (const JudgedTrace& trace : verdict.traces) {
    allocations += trace.allocations;
    temporary += trace.temporary;
    peak = std::max(peak, trace.peak_bytes);
  }
  limits.check("max-leaked-bytes", "bytes", rules.max_leaked_bytes, leaked_bytes);
  limits.check("max-leaked-blocks", "blocks", rules.max_leaked_blocks, leaked_blocks);
  for (size_t i = 0; i < verdict.findings.size(); ++i) {
    const LeakedAmount part = limited_part(verdict.findings[i], rules);
    limits.check("max-site-leaked-bytes", "bytes", rules.max_site_leaked_bytes, part.bytes, {}, i);
    limits.check("max-site-leaked-blocks", "blocks", rules.max_site_leaked_blocks, part.blocks, {}, i);
  }
  limits.check("max-peak", "peak", rules.max_peak, peak);
  limits.check("max-allocations", "allocations", rules.max_allocations, allocations);
  limits.check("max-temporary", "temporary", rules.max_temporary, temporary);
  for (size_t i = 0; i < rules.budgets.size(); ++i) {
    const Budget& budget = rules.budgets[i];
    BudgetSums::Sums most;
    for (const TraceFindings& trace : traces) {
      const BudgetSums::Sums& sums = trace.budgets[i];
      most = {std::max(most.bytes, sums.bytes), std::max(most.blocks, sums.blocks), std::max(most.peak, sums.peak),
              std::max(most.allocations, sums.allocations)};
    }
    const std::string subject =
        fmt::format("{} {}", budget.is_of_module ? "module" : "function", budget.pattern.text());
    limits.check("budget", "bytes", budget.bytes, most.bytes, subject);
    limits.check("budget", "blocks", budget.blocks, most.blocks, subject);
    limits.check("budget", "peak", budget.peak, most.peak, subject);
    limits.check("budget", "allocations", budget.allocations, most.allocations, subject);
  }
}

// What is suppressed or elsewhere need not be judged.
void count_unjudged(TraceFindings& found, const Blame& blame, Suppressions suppressions) {
  for (Finding& finding : found.unjudged) blame.assign(finding);
  suppressions.apply(found.unjudged);
  for (const Finding& finding : found.unjudged) {
    if (!finding.counts()) continue;
    found.trace.unjudged_blocks += finding.blocks;
    found.trace.unjudged_bytes += finding.bytes;
  }
}

void note_unseen(const TraceFindings& found, const Rules& rules, Verdict& verdict) {
  const JudgedTrace& trace = found.trace;
  if (!trace.is_complete && !rules.allow_incomplete)
    verdict.unseen.push_back(fmt::format(
        "{}: the recording ends before the program did: it died, or still runs (--allow-incomplete lets it pass)",
        trace.path));
  if (trace.dropped_events != 0 && !rules.allow_dropped)
    verdict.unseen.push_back(fmt::format("{}: {} dropped (--allow-dropped lets it pass)", trace.path,
                                         count_of(trace.dropped_events, "event was", "events were")));
  if (!trace.why_unclassified.empty() && (rules.asks_for_leaks() || found.has_scopes) && !rules.allow_unclassified)
    verdict.unseen.push_back(
        fmt::format("{}: not classified: {} (--allow-unclassified lets it pass)", trace.path, trace.why_unclassified));
  if (trace.unjudged_blocks != 0 && (rules.asks_for_leaks() || found.has_scopes) && !rules.allow_incomplete)
    verdict.unseen.push_back(
        fmt::format("{}: not judged: {} allocated after the last snapshot of the memory and not freed "
                    "(--allow-incomplete lets it pass)",
                    trace.path, amount_text(trace.unjudged_bytes, trace.unjudged_blocks)));
}

void note_unmatched(const std::vector<TraceFindings>& traces, const Rules& rules, const Blame& blame,
                    Verdict& verdict) {
  if (!blame.has_origins() || rules.allow_unmatched) return;
  const bool has_own_stack = std::any_of(traces.begin(), traces.end(), std::mem_fn(&TraceFindings::has_own_stack));
  if (has_own_stack) return;
  for (const Finding& finding : verdict.findings)
    for (const FindingFrame& frame : finding.frames)
      if (blame.is_from_here(frame)) return;
  if (const std::string line = describe_unmatched(verdict, rules); !line.empty())
    verdict.unseen.push_back(line + " (--allow-unmatched lets it pass)");
}

// A gate that looks at no block is green whatever leaks.
void note_nothing_chosen(const std::vector<TraceFindings>& traces, const Rules& rules, Verdict& verdict) {
  if (!rules.chooses_blocks() || rules.allow_unmatched || !verdict.findings.empty()) return;
  if (std::any_of(traces.begin(), traces.end(),
                  [](const TraceFindings& trace) { return trace.chosen_allocations != 0; }))
    return;
  verdict.unseen.push_back(fmt::format("{}: no block of {} is judged (--allow-unmatched lets it pass)",
                                       judged_blocks_text(rules), traces.size() == 1 ? "the trace" : "any trace"));
}

}  // namespace

bool Rules::asks_for_leaks() const {
  return has_leaked_limit() || fail_on_reachable_growth ||
         std::any_of(fail_on.begin(), fail_on.end(), [](FindingKind kind) { return is_leak(kind); });
}

Verdict judge(std::vector<TraceFindings> traces, const Rules& rules, const Blame& blame, Suppressions suppressions,
              const Baseline* baseline) {
  Verdict verdict;
  verdict.has_baseline = baseline != nullptr;
  verdict.fails_on_stale = rules.fail_on_stale;
  verdict.findings = merge_traces(traces);
  note_nothing_chosen(traces, rules, verdict);
  suppressions.add_text(builtin_suppressions(), SuppressionUse::kBuiltIn);  // the user's own come first
  for (TraceFindings& trace : traces) {
    if (!trace.unjudged.empty()) count_unjudged(trace, blame, suppressions);
    note_unseen(trace, rules, verdict);
    verdict.traces.push_back(std::move(trace.trace));
  }
  for (Finding& finding : verdict.findings) blame.assign(finding);
  suppress(std::move(suppressions), verdict);
  if (baseline) baseline->compare(verdict.findings);
  mark_judged(traces, rules, verdict.findings);
  decide_failures(verdict.findings, rules);
  note_unmatched(traces, rules, blame, verdict);
  sort_findings(verdict.findings);
  check_limits(traces, rules, verdict);
  check_scopes(traces, rules, verdict);
  return verdict;
}

}  // namespace memprof
