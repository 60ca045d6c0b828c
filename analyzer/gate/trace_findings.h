// What there is to judge in one trace: one pass over its events, two where blocks are freed that are not there, one
// more where only some blocks are judged.
#pragma once

#include <set>
#include <vector>

#include "gate/budget.h"
#include "gate/judged_blocks.h"
#include "gate/reported_blocks.h"
#include "gate/rules.h"
#include "gate/scopes.h"
#include "gate/verdict.h"
#include "model/analysis.h"
#include "report/symbol_options.h"

namespace memprof {

struct TraceFindings {
  JudgedTrace trace;
  // One for each kind, place and allocator, two where the process inherited some of the blocks; unordered.
  std::vector<Finding> findings;
  // Places of blocks that were allocated after the snapshot and are open at the end. Of no kind: whether they are lost
  // nobody knows.
  std::vector<Finding> unjudged;
  std::vector<BudgetSums::Sums> budgets;  // by Rules::budgets
  // Whether --only-from was found in a stack of the trace that is no finding's (gate/own_stacks.h).
  bool has_own_stack = false;
  bool has_scopes = false;
  // Where --tag or --domain choose blocks: how many allocations they chose, and what they name that the trace lacks.
  uint64_t chosen_allocations = 0;
  std::set<JudgedBlocks::Unknown> unknown;
  std::vector<ScopeLeaks> scope_leaks;  // of those of which something leaked
  std::vector<std::string> warnings;    // of damage, symbols and scopes, for stderr
};

// Blocks that the process inherited and lost are its findings, unless they are in `reported`, which learns of all lost
// ones: parents go first. Null: there is one trace. Throws TraceError.
TraceFindings find_in_trace(Trace& trace, const Rules& rules, const SymbolOptions& symbols, ProgressSink* progress,
                            ReportedBlocks* reported = nullptr);

}  // namespace memprof
