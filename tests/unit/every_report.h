// Everything that memprof-analyze can print of a trace.
#pragma once

#include <string>

#include "report/reports.h"
#include "trace_opened.h"

namespace memprof::test {

struct EveryReport {
  std::string text;  // for people
  std::string json;  // one document after the other
  std::string chunks;
};

inline EveryReport every_report(const Trace& trace, ReportOptions options) {
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
  reports.chunks = written_by([&](Output& out) { report_chunks(trace, options, out, nullptr); });
  options.json = true;
  reports.json = written_by([&](Output& out) {
    report_summary_json(analysis, options, out);
    report_stacks(analysis, options, out);
    report_leaks(analysis, options, out);
    report_dump_stats(trace, options, out);
    report_timeline(trace, options, out, nullptr);
  });
  return reports;
}

}  // namespace memprof::test
