// The questions that only the graph of blocks answers, at the last snapshot: `leaks --retained`, `--cycles`,
// `--who-points-at`.
#pragma once

#include <string>

#include "reach/classification.h"
#include "report/output.h"
#include "report/report_options.h"

namespace memprof {

// Each tells, where nothing is classified, why.
void report_leaks_retained(const Trace& trace, const Classification& classes, const ReportOptions& options,
                           Output& out);
void report_leaks_cycles(const Trace& trace, const Classification& classes, const ReportOptions& options, Output& out);

// `target`: an address in a block, "0x…", or what --function takes: blocks that were allocated below such a function.
struct PointersResult {
  std::string problem;  // when set, the target is none of them
};
PointersResult report_leaks_pointers(const Trace& trace, const Classification& classes, const std::string& target,
                                     const ReportOptions& options, Output& out);

// "not classified: …", as text or JSON; false where there is something to report.
bool report_unclassified(const Classification& classes, const char* schema, const ReportOptions& options, Output& out);

// "3 definite, 12 reachable"
std::string describe_reach(const uint64_t (&counts)[4]);

}  // namespace memprof
