#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "gate/finding_text.h"
#include "gate/finding_totals.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kLimitsTold = 3;

std::string amount_in_brackets(const Amount& amount) {
  return fmt::format(" ({})", amount_text(amount.bytes, amount.blocks));
}

void append(std::string& list, const std::string& item) {
  if (!list.empty()) list += "; ";
  list += item;
}

// Leaks by what they are against the baseline, frees that are wrong by their kind.
void append_failing(std::string& list, const Verdict& verdict) {
  static constexpr FindingStatus kOrder[] = {FindingStatus::no_baseline, FindingStatus::added, FindingStatus::grown,
                                             FindingStatus::known};
  for (const FindingStatus status : kOrder) {
    Amount leaks;
    for (const Finding& finding : verdict.findings)
      if (finding.fails && is_leak(finding.kind) && finding.status == status) leaks.add(finding.blocks, finding.bytes);
    if (leaks.findings == 0) continue;
    const std::string name = finding_status_name(status);
    append(list, fmt::format("{} {}{}{}", format_count(leaks.findings), name.empty() ? "" : name + " ",
                             leaks.findings == 1 ? "leak" : "leaks", amount_in_brackets(leaks)));
  }
  const FindingTotals totals = total_findings(verdict);
  for (const FindingKind kind : {FindingKind::mismatched_free, FindingKind::double_free})
    if (const uint64_t count = totals.failing[static_cast<size_t>(kind)].findings; count != 0)
      append(list, fmt::format("{} {}", format_count(count), kind_noun(kind, count)));
}

std::string why_failed(const Verdict& verdict) {
  std::string list;
  append_failing(list, verdict);
  const size_t told = std::min(verdict.broken_limits.size(), kLimitsTold);
  for (size_t i = 0; i < told; ++i) append(list, describe_limit(verdict.broken_limits[i]));
  if (const size_t more = verdict.broken_limits.size() - told; more != 0)
    append(list, count_of(more, "other limit broken", "other limits broken"));
  const auto stale = static_cast<uint64_t>(
      std::count_if(verdict.suppressions.begin(), verdict.suppressions.end(), std::mem_fn(&SuppressionUse::is_stale)));
  if (verdict.fails_on_stale && stale != 0) append(list, count_of(stale, "stale suppression", "stale suppressions"));
  if (!verdict.unseen.empty())
    append(list, verdict.unseen.size() == 1 ? verdict.unseen.front()
                                            : fmt::format("{} things were not seen", verdict.unseen.size()));
  return list;
}

std::string what_passed(const Verdict& verdict) {
  const FindingTotals totals = total_findings(verdict);
  std::string list;
  for (size_t kind = 0; kind < kFindingKinds; ++kind) {
    Amount allowed = totals.kinds[kind];
    allowed.findings -= totals.known[kind].findings;
    allowed.blocks -= totals.known[kind].blocks;
    allowed.bytes -= totals.known[kind].bytes;
    if (allowed.findings != 0)
      append(list,
             fmt::format("{} {}{}", format_count(allowed.findings),
                         kind_noun(static_cast<FindingKind>(kind), allowed.findings), amount_in_brackets(allowed)));
  }
  const auto append_amount = [&](const Amount& amount, const char* what) {
    if (amount.findings != 0)
      append(list, fmt::format("{} {}{}", format_count(amount.findings), what, amount_in_brackets(amount)));
  };
  append_amount(totals.all_known(), "known");
  append_amount(totals.suppressed, "suppressed");
  append_amount(totals.elsewhere, "elsewhere");
  append_amount(totals.fixed, "fixed");
  const auto unclassified = std::count_if(verdict.traces.begin(), verdict.traces.end(),
                                          [](const JudgedTrace& trace) { return !trace.why_unclassified.empty(); });
  if (unclassified != 0)
    append(list, unclassified == static_cast<ptrdiff_t>(verdict.traces.size())
                     ? std::string("nobody looked for leaks")
                     : fmt::format("nobody looked for leaks in {} of {} traces", unclassified, verdict.traces.size()));
  return list.empty() ? "no leaks" : list;
}

}  // namespace

std::string verdict_text(const Verdict& verdict) {
  return verdict.passed() ? "passed: " + what_passed(verdict) : "FAILED: " + why_failed(verdict);
}

}  // namespace memprof
