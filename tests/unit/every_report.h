// Everything that memprof-analyze can print of a trace.
#pragma once

#include <string>

#include "report/reports.h"
#include "trace_opened.h"

namespace memprof::test {

struct EveryReport {
  std::string text;  // for people
  std::string json;  // one document after the other
  std::string csv;   // one table after the other
  std::string chunks;
};

inline EveryReport every_report(Trace& trace, ReportOptions options) {
  const Analysis analysis = analyse(trace);
  EveryReport reports;
  options.json = false;
  reports.text = written_by([&](Output& out) {
    report_summary_text(analysis, options, out);
    report_stacks(analysis, options, out);
    report_leaks(analysis, options, out);
    report_dump(trace, {}, out);
    report_dump_stats(trace, options, out);
    report_timeline(trace, options, out, nullptr);
  });
  const auto tables = [&](Output& out) {
    for (const GroupBy group : {GroupBy::function, GroupBy::thread}) {
      options.group = group;
      {
        const SiteExtras extras(trace, options);
        report_stacks(analyse(trace, extras.visitor()), options, out, extras);
      }
      report_sizes(trace, options, out, nullptr);
      report_lifetimes(trace, options, out, nullptr);
    }
    options.group = GroupBy::stack;
    report_threads(trace, options, out, nullptr);
    for (const TreeDirection direction : {TreeDirection::top_down, TreeDirection::bottom_up}) {
      options.direction = direction;
      report_tree(trace, options, out, nullptr);
    }
  };
  reports.text += written_by(tables);
  options.csv = true;
  reports.csv = written_by(tables);
  options.csv = false;
  reports.chunks = written_by([&](Output& out) { report_chunks(trace, options, out, nullptr); });
  options.json = true;
  reports.json = written_by([&](Output& out) {
    report_summary_json(analysis, options, out);
    report_stacks(analysis, options, out);
    report_leaks(analysis, options, out);
    report_dump_stats(trace, options, out);
    tables(out);
    report_timeline(trace, options, out, nullptr);
  });
  return reports;
}

}  // namespace memprof::test
