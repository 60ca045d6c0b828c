// Whether --only-from names anything that there is. A name that is misspelled, or a program without debug information,
// leaves everything out, and such a gate is green whatever leaks.
#pragma once

#include <vector>

#include "gate/blame.h"
#include "gate/rules.h"
#include "gate/trace_findings.h"

namespace memprof {

// Whether something would fail that --only-from leaves out, and none of the findings, whatever their kind, goes through
// what it names. Then it is to be looked for in all stacks.
bool leaves_all_out(const std::vector<TraceFindings>& traces, const Rules& rules, const Blame& blame);

// Whether any stack of the trace, of a block that was freed as well, goes through it. Looks up all of them.
bool has_own_stack(const Trace& trace, const SymbolOptions& symbols, const Blame& blame);

// "--only-from src: ...", with what is likely the cause; empty: there is nothing to tell. Of the verdict's findings
// those that would fail are told.
std::string describe_unmatched(const Verdict& verdict, const Rules& rules);

}  // namespace memprof
