// What a report is about, in words and as JSON: its window and its filters.
#pragma once

#include <string>

#include "model/analysis.h"
#include "report/frame_text.h"
#include "report/output.h"
#include "report/report_options.h"

namespace memprof {

// "window 1.200 s to 3.400 s; size >= 4096; function open_*", escaped; empty without filters.
std::string describe_window(const Trace& trace, const ReportOptions& options);
std::string describe_filters(const ReportOptions& options);

// One line with both, "only: ...". Nothing without filters.
void print_selection(Output& out, const Trace& trace, const ReportOptions& options);
// "; only: thread x; --thread x chose 0 of 3 threads": for one line. Also that blocks were
// stripped from the trace. Empty without either.
std::string describe_emptiness(const Trace& trace, const ReportOptions& options);
// "12 allocations of 3.00 KiB and 4 frees were stripped"; empty when none were.
std::string describe_stripped(const Trace& trace);
// The same in lines of their own, after a report that has nothing to show.
void print_why_empty(Output& out, const Trace& trace, const ReportOptions& options);

// The keys "window" and "filters", each where there is one. `account`: whose blocks are the document's; may be null.
void put_selection(Json& document, const Analysis& analysis, const ReportOptions& options, const Account* account);
Json window_json(const Analysis& analysis, const Account* account);
Json filters_json(const ReportOptions& options);

// The moment at which what is open is open: "at the end", or "at 3.400 s".
std::string at_end(const Trace& trace);
bool ends_early(const Trace& trace);
// "bytes open at the end", or at the end of the window.
std::string describe_rank(RankBy by, const Trace& trace);

}  // namespace memprof
