// From what was found in each trace to the verdict on all of them.
#pragma once

#include <vector>

#include "gate/baseline.h"
#include "gate/blame.h"
#include "gate/rules.h"
#include "gate/suppressions.h"
#include "gate/trace_findings.h"
#include "gate/verdict.h"

namespace memprof {

// `baseline` may be null.
Verdict judge(std::vector<TraceFindings> traces, const Rules& rules, const Blame& blame, Suppressions suppressions,
              const Baseline* baseline);

}  // namespace memprof
