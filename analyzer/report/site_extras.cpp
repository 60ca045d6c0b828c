#include "report/site_extras.h"

#include "report/site_list.h"

namespace memprof {

std::unique_ptr<SiteGroups> groups_for(Trace& trace, const ReportOptions& options) {
  if (options.group == GroupBy::stack) return nullptr;
  return std::make_unique<SiteGroups>(trace, options.group, options.symbols);
}

SiteExtras::SiteExtras(Trace& trace, const ReportOptions& options) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return;
  groups = groups_for(trace, options);
  if (rank_info(options.by).needs_tallies || options.json || options.csv)
    tallies = std::make_unique<SiteTallies>(trace, *domains);
}

}  // namespace memprof
