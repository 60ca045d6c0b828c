#include "gate/scope_limits.h"

#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace memprof {

namespace {

using FindingKey = std::tuple<FindingKind, uint64_t, std::string>;

std::map<FindingKey, size_t> index_leaks(const Verdict& verdict, const Rules& rules) {
  std::map<FindingKey, size_t> index;
  for (size_t i = 0; i < verdict.findings.size(); ++i) {
    const Finding& finding = verdict.findings[i];
    if (finding.counts() && rules.counts_as_leaked(finding.kind) && finding.status != FindingStatus::known)
      index.emplace(FindingKey{finding.kind, finding.fingerprint, finding.allocator}, i);
  }
  return index;
}

// One quantity of a scope: the sum, and the finding with the largest part of it.
class Sum {
 public:
  void add(uint64_t amount, size_t finding) {
    sum_ += amount;
    if (!finding_ || amount > most_ || (amount == most_ && finding < *finding_)) {
      most_ = amount;
      finding_ = finding;
    }
  }
  void keep_worst(const std::string& name, const char* quantity, uint64_t limit,
                  std::map<std::pair<std::string, std::string>, BrokenLimit>& worst) const {
    if (sum_ <= limit) return;
    BrokenLimit broken{"scope", name, quantity, limit, sum_, finding_};
    const auto [at, is_new] = worst.try_emplace({name, quantity}, broken);
    const auto excess = [](const BrokenLimit& one) { return std::make_pair(one.found - one.limit, one.found); };
    if (!is_new && excess(broken) > excess(at->second)) at->second = std::move(broken);
  }

 private:
  uint64_t sum_ = 0, most_ = 0;
  std::optional<size_t> finding_;
};

}  // namespace

void check_scopes(const std::vector<TraceFindings>& traces, const Rules& rules, Verdict& verdict) {
  const std::map<FindingKey, size_t> leaks = index_leaks(verdict, rules);
  std::map<std::pair<std::string, std::string>, BrokenLimit> worst;
  for (const TraceFindings& trace : traces) {
    for (const ScopeLeaks& leaked : trace.scope_leaks) {
      Sum bytes, blocks;
      for (const ScopeLeaks::Part& part : leaked.parts) {
        const auto finding = leaks.find({part.kind, part.fingerprint, part.allocator});
        if (finding == leaks.end()) continue;
        bytes.add(part.bytes, finding->second);
        blocks.add(part.blocks, finding->second);
      }
      bytes.keep_worst(leaked.scope.name, "bytes", leaked.scope.max_leaked_bytes, worst);
      blocks.keep_worst(leaked.scope.name, "blocks", leaked.scope.max_leaked_blocks, worst);
    }
  }
  for (auto& [key, broken] : worst) verdict.broken_limits.push_back(std::move(broken));
}

}  // namespace memprof
