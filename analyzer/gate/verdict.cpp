#include "gate/verdict.h"

#include <algorithm>
#include <string_view>

namespace memprof {

namespace {

constexpr const char* kKindNames[kFindingKinds] = {"definite",  "indirect",        "possible",
                                                   "reachable", "mismatched-free", "double-free"};

}  // namespace

const char* finding_kind_name(FindingKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

std::optional<FindingKind> parse_finding_kind(std::string_view name) {
  const auto* const found = std::find(std::begin(kKindNames), std::end(kKindNames), name);
  if (found == std::end(kKindNames)) return std::nullopt;
  return static_cast<FindingKind>(found - std::begin(kKindNames));
}

const char* finding_status_name(FindingStatus status) {
  switch (status) {
    case FindingStatus::no_baseline: break;
    case FindingStatus::added: return "new";
    case FindingStatus::grown: return "grown";
    case FindingStatus::known: return "known";
    case FindingStatus::fixed: return "fixed";
  }
  return "";
}

void keep_least(std::vector<FindingFrame>& kept, const std::vector<FindingFrame>& other) {
  if (kept.empty() || (!other.empty() && other < kept)) kept = other;
}

bool Verdict::passed() const {
  const bool any_fails = std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.fails; });
  return !any_fails && broken_limits.empty() && passes_with_findings();
}

Verdict Verdict::judged_only() const {
  Verdict result = *this;
  result.findings.clear();
  std::vector<std::optional<size_t>> new_index(findings.size());
  for (size_t i = 0; i < findings.size(); ++i) {
    if (!findings[i].is_judged) continue;
    new_index[i] = result.findings.size();
    result.findings.push_back(findings[i]);
  }
  for (BrokenLimit& limit : result.broken_limits)
    if (limit.finding) limit.finding = *limit.finding < new_index.size() ? new_index[*limit.finding] : std::nullopt;
  return result;
}

bool Verdict::passes_with_findings() const {
  const bool any_stale = fails_on_stale && std::any_of(suppressions.begin(), suppressions.end(),
                                                       [](const SuppressionUse& use) { return use.is_stale(); });
  return !any_stale && unseen.empty() &&
         std::all_of(broken_limits.begin(), broken_limits.end(),
                     [](const BrokenLimit& limit) { return limit.is_of_leaks(); });
}

}  // namespace memprof
