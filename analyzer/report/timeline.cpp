#include "report/reports.h"
#include "report/site_list.h"
#include "report/timeline_chart.h"
#include "report/timeline_formats.h"

namespace memprof {

std::string_view thread_name(const Trace& trace, uint32_t serial) {
  std::string_view name;
  for (const Metadata::ThreadName& thread : trace.metadata.thread_names)
    if (thread.thread_serial == serial) name = thread.name;
  return name;
}

bool report_timeline(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  const std::unique_ptr<SiteGroups> groups = groups_for(trace, options);
  const Timeline timeline =
      make_timeline(trace, groups.get(), *domains, options.points.value_or(Charts::kWidth),
                    options.top.value_or(groups ? kDefaultTimelineGroups : kDefaultTimelineParts), progress);
  if (options.json)
    print_timeline_json(timeline, options, out);
  else if (options.csv)
    print_timeline_csv(timeline, options, out);
  else
    print_timeline_text(timeline, options, out);
  return true;
}

}  // namespace memprof
