#include "report/escape.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_list.h"

namespace memprof {

namespace {

void print_untyped(const Account& account, const ReportOptions& options, const SiteExtras& extras, uint64_t total,
                   Output& out) {
  uint64_t untyped = 0;
  for (const Site* site : ranked_sites(account, options.by, SIZE_MAX, extras.tallies.get()))
    if (site->stack == extras.groups->untyped()) untyped = rank_value(*site, options.by, extras.tallies.get());
  if (untyped == 0)
    out.write("Every stack names a type.\n");
  else
    out.print(
        "{:.1f} % are of blocks whose stacks name no type: allocated in no template, or with no debug information\n",
        100.0 * static_cast<double>(untyped) / static_cast<double>(total));
}

}  // namespace

bool report_stacks(const Analysis& analysis, const ReportOptions& options, Output& out, const SiteExtras& extras) {
  const auto domains = find_domains(analysis.trace, options.domain);
  if (!domains) return false;
  const Account* account = analysis.account(*domains);
  if (options.json) {
    print_sites_json(analysis, account, options, extras, "memprof.stacks/1", out);
    return true;
  }
  if (options.csv) {
    print_sites_csv(analysis, account, options, extras, out);
    return true;
  }
  const SiteTallies* tallies = extras.tallies.get();
  const size_t count = account ? ranked_sites(*account, options.by, SIZE_MAX, tallies).size() : 0;
  if (count == 0) {
    if (!options.filters.choose() && (!account || account->is_unused()))
      out.print("Nothing was allocated in {}.\n", domains_text(options.domain));
    else
      out.print("No {} of {} has any {}.\n", group_name(options.group), domains_text(options.domain),
                describe_rank(options.by, analysis.trace));
    print_why_empty(out, analysis.trace, options);
    return true;
  }
  const uint64_t total = rank_total(*account, options.by, tallies);
  out.print("{} by {}; 100 % is {}{}\n", count_sites(count, options.group), describe_rank(options.by, analysis.trace),
            format_rank(total, options.by), options.by == RankBy::peak ? ", the peak of all together" : "");
  print_selection(out, analysis.trace, options);
  if (options.group == GroupBy::type) print_untyped(*account, options, extras, total, out);
  out.write("\n");
  print_sites_text(analysis, *account, options, extras, out);
  return true;
}

}  // namespace memprof
