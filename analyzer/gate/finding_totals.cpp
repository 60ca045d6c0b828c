#include "gate/finding_totals.h"

namespace memprof {

namespace {

Amount sum_of(const std::array<Amount, kFindingKinds>& kinds) {
  Amount sum;
  for (const Amount& amount : kinds) {
    sum.findings += amount.findings;
    sum.blocks += amount.blocks;
    sum.bytes += amount.bytes;
  }
  return sum;
}

}  // namespace

Amount FindingTotals::all_failing() const { return sum_of(failing); }
Amount FindingTotals::all_known() const { return sum_of(known); }

FindingTotals total_findings(const Verdict& verdict) {
  FindingTotals totals;
  for (const Finding& finding : verdict.findings) {
    const auto kind = static_cast<size_t>(finding.kind);
    if (finding.status == FindingStatus::fixed) {
      totals.fixed.add(finding.baseline_blocks, finding.baseline_bytes);
    } else if (finding.suppression) {
      totals.suppressed.add(finding.blocks, finding.bytes);
    } else if (finding.is_elsewhere) {
      totals.elsewhere.add(finding.blocks, finding.bytes);
    } else {
      totals.kinds[kind].add(finding.blocks, finding.bytes);
      if (finding.fails)
        totals.failing[kind].add(finding.blocks, finding.bytes);
      else if (finding.status == FindingStatus::known)
        totals.known[kind].add(finding.blocks, finding.bytes);
    }
  }
  return totals;
}

}  // namespace memprof
