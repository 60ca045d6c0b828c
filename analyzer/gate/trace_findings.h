// What there is to judge in one trace: one pass over its events, two where blocks are freed that are not there.
#pragma once

#include <vector>

#include "gate/budget.h"
#include "gate/rules.h"
#include "gate/verdict.h"
#include "model/analysis.h"
#include "report/symbol_options.h"

namespace memprof {

struct TraceFindings {
  JudgedTrace trace;
  std::vector<Finding> findings;          // one for each kind, place and allocator; unordered
  std::vector<BudgetSums::Sums> budgets;  // by Rules::budgets
  std::vector<std::string> warnings;      // of damage and of symbols, for stderr
};

// Throws TraceError.
TraceFindings find_in_trace(Trace& trace, const Rules& rules, const SymbolOptions& symbols, ProgressSink* progress);

}  // namespace memprof
