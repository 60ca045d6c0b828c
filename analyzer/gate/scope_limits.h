// Scopes of which more leaked than their budgets allow.
#pragma once

#include <vector>

#include "gate/rules.h"
#include "gate/trace_findings.h"
#include "gate/verdict.h"

namespace memprof {

// Adds to Verdict::broken_limits, for each name the scope that is worst: rule "scope", subject the name. What leaked is
// what counts as leaked elsewhere: not what is suppressed, foreign or known. The findings must have their final order.
void check_scopes(const std::vector<TraceFindings>& traces, const Rules& rules, Verdict& verdict);

}  // namespace memprof
