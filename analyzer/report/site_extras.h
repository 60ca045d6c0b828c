// What the lists of sites may need beside the accounts: groups instead of stacks, tallies from the blocks.
#pragma once

#include <memory>

#include "report/report_options.h"
#include "report/site_groups.h"
#include "report/site_tallies.h"

namespace memprof {

// Null: by stack.
std::unique_ptr<SiteGroups> groups_for(Trace& trace, const ReportOptions& options);

struct SiteExtras {
  SiteExtras() = default;
  // Before the analysis: what the options ask for. Groups change what `trace` takes for a site.
  SiteExtras(Trace& trace, const ReportOptions& options);

  // For the analysis; may be null.
  ChunkVisitor* visitor() const { return tallies.get(); }

  std::unique_ptr<SiteGroups> groups;    // null: by stack
  std::unique_ptr<SiteTallies> tallies;  // null: nobody asked
};

}  // namespace memprof
