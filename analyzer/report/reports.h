// The reports of the command line, one function and one file each. All may throw TraceError and OutputError.
#pragma once

#include <cstddef>
#include <memory>

#include "model/analysis.h"
#include "report/output.h"
#include "report/report_options.h"
#include "report/site_extras.h"

namespace memprof {

class Classification;

// Sites of each of the summary's lists, unless it is asked for more.
inline constexpr size_t kSummaryTop = 5;

// Another analysis of the same blocks, by group, for the summary's lists.
struct GroupedSums {
  GroupedSums(Trace& trace, const ReportOptions& options, ProgressSink* progress)
      : groups(groups_for(trace, options)), analysis(analyse(trace, nullptr, progress)) {}

  const std::unique_ptr<SiteGroups> groups;
  const Analysis analysis;
};
// False when the trace has no domain of that name, as all of these. `grouped`: null by stack.
bool report_summary_text(const Analysis& analysis, const ReportOptions& options, Output& out,
                         const GroupedSums* grouped = nullptr);
bool report_summary_json(const Analysis& analysis, const ReportOptions& options, Output& out,
                         const GroupedSums* grouped = nullptr);
// `extras`: those that the analysis was made with.
bool report_stacks(const Analysis& analysis, const ReportOptions& options, Output& out, const SiteExtras& extras = {});
bool report_leaks(const Analysis& analysis, const ReportOptions& options, Output& out, const SiteExtras& extras = {});
// Blocks allocated in [from, to) and open at a time, by stack.
struct LeakSpan {
  uint64_t from_ns = 0, to_ns = 0, open_at_ns = 0;
  uint64_t end_ns = 0;  // of the window or the trace
  std::string problem;  // when set, options.between makes no sense for this trace
};
LeakSpan find_leak_span(const Trace& trace, const ReportOptions& options, ProgressSink* progress);
bool report_leaks_of_span(const Trace& trace, const LeakSpan& span, const ReportOptions& options, Output& out,
                          ProgressSink* progress);
bool report_leaks_growth(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);
// False when neither trace has the domain.
bool report_diff(Trace& before, Trace& after, const ReportOptions& options, Output& out, ProgressSink* progress);
// Streams while it analyses. With `classes`, open blocks are told with what still led to them.
enum class ChunksResult { done, empty, no_domain };
ChunksResult report_chunks(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress,
                           const Classification* classes = nullptr);

// These analyse themselves, and may group the trace's sites while they do. False when the trace has no domain of that
// name.
bool report_sizes(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);
bool report_lifetimes(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);
bool report_timeline(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);
bool report_threads(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress);
enum class TreeResult { done, no_domain, no_function };
// For no_function, `functions` gets the names that there are.
TreeResult report_tree(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress,
                       std::vector<std::string>* functions = nullptr);

struct DumpSections {
  bool header = false, pages = false, metadata = false, modules = false, nodes = false, events = false,
       snapshots = false;
  bool any() const { return header || pages || metadata || modules || nodes || events || snapshots; }
};
void report_dump(const Trace& trace, const DumpSections& sections, Output& out);
void report_dump_stats(const Trace& trace, const ReportOptions& options, Output& out);

}  // namespace memprof
