#include "cli/leaks_options.h"

#include <fmt/format.h>

#include "report/moment.h"

namespace memprof {

void LeaksOptions::add_to(CLI::App& command, ReportOptions& options) {
  command
      .add_option("--older", older_, "Only blocks of at least this age when the trace or the window ends: 5s, 200ms")
      ->type_name("AGE");
  command
      .add_option("--between", between_,
                  "Only blocks allocated from T1 to T2 and still open at T2: 1.5s, 40%, start, end, a mark")
      ->type_name("T1 T2");
  command.add_flag("--growth", options.growth, "Only stacks whose open bytes grow all the time, with evidence");
  command.add_flag("--retained", options.retained,
                   "What would be freed with the blocks of each stack (needs a snapshot)");
  command.add_flag("--cycles", options.cycles, "Lost blocks that hold each other (needs a snapshot)");
  command
      .add_option(
          "--who-points-at", options.who_points_at,
          "What points to the block at an address, 0x…, or to those allocated below a function (needs a snapshot)")
      ->type_name("ADDRESS|FUNCTION");
}

std::string LeaksOptions::check(ReportOptions& options) const {
  if (!older_.empty()) {
    options.older_ns = parse_duration_ns(older_);
    if (!options.older_ns) return fmt::format("--older {} is no duration, as 5s, 200ms or 2min are", older_);
  }
  if (!between_.second.empty()) options.between = between_;
  if (options.older_ns.has_value() + options.between.has_value() + options.growth > 1)
    return "--older, --between and --growth: one at a time";
  if (options.group != GroupBy::stack && (options.older_ns || options.between || options.growth))
    return "--group does not go with --older, --between and --growth, which list stacks";
  if (options.retained + options.cycles + !options.who_points_at.empty() +
          (options.older_ns || options.between || options.growth) >
      1)
    return "--retained, --cycles, --who-points-at and what chooses by time: one at a time";
  if (options.asks_graph() && (options.filters.choose() || options.group != GroupBy::stack || options.domain != "cpu"))
    return "--retained, --cycles and --who-points-at are of all blocks of the heap, by stack: leave out filters, "
           "--group "
           "and --domain";
  if (!options.who_points_at.empty() && options.csv) return "--who-points-at has no --csv: use --json";
  if (options.between && options.filters.has_window())
    return "--between is a window itself, of allocations: leave out --from and --to";
  return {};
}

}  // namespace memprof
