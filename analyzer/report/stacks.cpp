#include "report/escape.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/site_list.h"

namespace memprof {

bool report_stacks(const Analysis& analysis, const ReportOptions& options, Output& out) {
  const auto domain = find_domain(analysis.trace, options.domain);
  if (!domain) return false;
  const Account* account = analysis.pairing.account(*domain);
  if (options.json) {
    print_sites_json(analysis, account, options, "memprof.stacks/1", out);
    return true;
  }
  const RankInfo& rank = rank_info(options.by);
  const size_t count = account ? ranked_sites(*account, options.by, SIZE_MAX).size() : 0;
  if (count == 0) {
    out.print("No stack has any {}.\n", rank.description);
    return true;
  }
  const uint64_t total = rank_total(*account, options.by);
  out.print("{} by {}; 100 % is {}{}\n\n", count_of(count, "stack", "stacks"), rank.description,
            rank.is_count ? format_count(total) : format_bytes(total),
            options.by == RankBy::peak ? ", the peak of all together" : "");
  print_sites_text(analysis, *account, options, out);
  return true;
}

}  // namespace memprof
