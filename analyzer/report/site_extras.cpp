#include "report/site_extras.h"

#include "report/site_list.h"

namespace memprof {

SiteExtras::SiteExtras(Trace& trace, const ReportOptions& options) {
  const auto domain = find_domain(trace, options.domain);
  if (!domain) return;
  if (options.group != GroupBy::stack) groups = std::make_unique<SiteGroups>(trace, options.group, options.symbols);
  if (rank_info(options.by).needs_tallies || options.json || options.csv)
    tallies = std::make_unique<SiteTallies>(trace, *domain);
}

}  // namespace memprof
