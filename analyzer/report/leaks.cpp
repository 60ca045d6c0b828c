#include "report/escape.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_list.h"

namespace memprof {

// Open blocks by stack. They are "not freed at exit", which is a fact; "leaked" would be a judgement about whether
// anything still points to them.
bool report_leaks(const Analysis& analysis, const ReportOptions& given, Output& out, const SiteExtras& extras) {
  ReportOptions options = given;
  options.by = RankBy::open;
  const auto domains = find_domains(analysis.trace, options.domain);
  if (!domains) return false;
  const Account* account = analysis.account(*domains);
  if (options.json) {
    print_sites_json(analysis, account, options, extras, "memprof.leaks/1", out);
    return true;
  }
  if (options.csv) {
    print_sites_csv(analysis, account, options, extras, out);
    return true;
  }
  const Trace& trace = analysis.trace;
  const std::string when = ends_early(trace)                ? "not freed " + at_end(trace)
                           : trace.file.closed_by_library() ? "not freed at exit"
                                                            : "not freed when the trace ends";
  if (!account || account->open_chunks() == 0) {
    if (options.filters.choose())
      out.print("Nothing: no block of {} is {}.\n", domains_text(options.domain), when);
    else if (!account || account->is_unused())
      out.print("Nothing was allocated in {}.\n", domains_text(options.domain));
    else if (trace.metadata.stripped.allocations != 0)
      out.print("Nothing: no block of {} that is in the trace is {}.\n", domains_text(options.domain), when);
    else
      out.print("Nothing is left: every block that was allocated is freed.\n");
    print_why_empty(out, trace, options);
    return true;
  }
  out.print("{} in {} {}, from {}\n", format_bytes(account->open_bytes()),
            count_of(account->open_chunks(), "block", "blocks"), when,
            count_sites(ranked_sites(*account, RankBy::open, SIZE_MAX).size(), options.group));
  print_selection(out, trace, options);
  out.write("\n");
  print_sites_text(analysis, *account, options, extras, out);
  return true;
}

}  // namespace memprof
