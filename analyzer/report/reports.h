// The reports of the command line, one function and one file each. All may throw TraceError and OutputError.
#pragma once

#include "model/analysis.h"
#include "report/output.h"
#include "report/report_options.h"

namespace memprof {

void report_summary_text(const Analysis& analysis, const ReportOptions& options, Output& out);
void report_summary_json(const Analysis& analysis, const ReportOptions& options, Output& out);
// False when the trace has no domain of that name.
bool report_stacks(const Analysis& analysis, const ReportOptions& options, Output& out);
bool report_leaks(const Analysis& analysis, const ReportOptions& options, Output& out);
bool report_timeline(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);
// Streams while it analyses.
void report_chunks(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);

struct DumpSections {
  bool header = false, pages = false, metadata = false, modules = false, nodes = false, events = false;
  bool any() const { return header || pages || metadata || modules || nodes || events; }
};
void report_dump(const Trace& trace, const DumpSections& sections, Output& out);
void report_dump_stats(const Trace& trace, const ReportOptions& options, Output& out);

}  // namespace memprof
