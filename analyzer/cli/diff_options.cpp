#include "cli/diff_options.h"

#include <fmt/format.h>

#include "cli/unknown_value.h"

namespace memprof {

void DiffOptions::add_to(CLI::App& command, ReportOptions& options) {
  command.add_flag("--csv", options.csv, "A table, one line a place");
  command.add_option("--per", per_, "Divide the numbers of each trace by its: second, allocation")->type_name("WHAT");
  command.add_option("--min-percent", options.min_percent, "Hide changes below so much of the larger trace's total")
      ->type_name("P");
  command.add_option("--min-bytes", options.min_bytes, "Hide changes of fewer bytes")->type_name("N");
}

std::string DiffOptions::check(ReportOptions& options, const std::string& old_trace,
                               const std::string& new_trace) const {
  const std::string by = rank_info(options.by).name;
  if (options.by == RankBy::lifetime || options.by == RankBy::realloc_growth)
    return fmt::format("diff does not compare {}: open, peak, at-peak, allocated, allocations, temporary", by);
  if (new_trace.empty())
    return old_trace.empty() ? "diff compares two traces: diff OLD NEW"
                             : fmt::format("diff compares two traces, found only {}", old_trace);
  if (per_ == "second")
    options.per = DiffPer::second;
  else if (per_ == "allocation")
    options.per = DiffPer::allocation;
  else if (!per_.empty())
    return unknown_value("--per", per_, "second, allocation");
  if (options.min_bytes && (rank_info(options.by).unit == RankUnit::blocks || options.per != DiffPer::nothing))
    return fmt::format(
        "--min-bytes does not go with {}; take --min-percent",
        options.per != DiffPer::nothing ? "--per " + per_ : fmt::format("--by {}, which counts blocks", by));
  return {};
}

}  // namespace memprof
