// The sums of a verdict's findings.
#pragma once

#include <array>
#include <cstdint>

#include "gate/verdict.h"

namespace memprof {

struct Amount {
  uint64_t findings = 0, blocks = 0, bytes = 0;

  void add(uint64_t more_blocks, uint64_t more_bytes) {
    ++findings;
    blocks += more_blocks;
    bytes += more_bytes;
  }
};

// Each finding is in `kinds` or in one of suppressed, elsewhere and fixed.
struct FindingTotals {
  std::array<Amount, kFindingKinds> kinds;    // that count
  std::array<Amount, kFindingKinds> failing;  // of these: that make the gate fail
  std::array<Amount, kFindingKinds> known;    // of these: that the baseline has and that do not fail
  Amount suppressed, elsewhere;
  Amount fixed;  // as the baseline has it

  // Of all kinds.
  Amount all_failing() const;
  Amount all_known() const;
};

FindingTotals total_findings(const Verdict& verdict);

}  // namespace memprof
