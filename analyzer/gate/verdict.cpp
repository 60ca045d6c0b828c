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

bool Verdict::passed() const {
  const bool any_fails = std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.fails; });
  const bool any_stale = fails_on_stale && std::any_of(suppressions.begin(), suppressions.end(),
                                                       [](const SuppressionUse& use) { return use.is_stale(); });
  return !any_fails && !any_stale && broken_limits.empty() && unseen.empty();
}

}  // namespace memprof
