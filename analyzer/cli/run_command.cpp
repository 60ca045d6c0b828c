#include "cli/run_command.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/progress_bar.h"
#include "report/escape.h"

namespace memprof {

namespace {

void warn(const TraceFile& file) {
  for (const std::string& line : file.damage().warnings())
    say_on_stderr(fmt::format("memprof-analyze: {}: warning: {}\n", escape_text(file.name()), escape_text(line)));
}

Analysis analyse_with_progress(const Trace& trace) {
  ProgressBar progress;
  return analyse(trace, nullptr, &progress);
}

int no_such_domain(const Trace& trace, const std::string& name) {
  std::string known;
  for (const Domain& domain : trace.domains.all()) known += (known.empty() ? "" : ", ") + escape_text(domain.name);
  fmt::print(stderr, "memprof-analyze: the trace has no domain {}; it has: {}\n", escape_text(name), known);
  return kUsageError;
}

int print_leaks(const CommandLine& line, const Trace& trace, Output& out) {
  const ReportOptions& options = line.options;
  bool has_domain = false;
  if (options.growth) {
    ProgressBar progress;
    has_domain = report_leaks_growth(trace, options, out, &progress);
  } else if (options.older_ns || options.between || options.csv) {
    ProgressBar progress;
    const LeakSpan span = find_leak_span(trace, options, &progress);
    if (!span.problem.empty()) {
      say_on_stderr(fmt::format("memprof-analyze: {}\n", escape_text(span.problem)));
      return kUsageError;
    }
    has_domain = report_leaks_of_span(trace, span, options, out, &progress);
  } else {
    has_domain = report_leaks(analyse_with_progress(trace), options, out);
  }
  return has_domain ? kDone : no_such_domain(trace, options.domain);
}

int print_diff(const CommandLine& line, const Trace& before, Output& out) {
  const Trace after(TraceFile::open(line.new_trace));
  bool has_domain = false;
  {
    ProgressBar progress;
    has_domain = report_diff(before, after, line.options, out, &progress);
  }
  if (!has_domain) return no_such_domain(after, line.options.domain);
  warn(after.file);
  return kDone;
}

int print_report(const CommandLine& line, const Trace& trace, Output& out) {
  switch (line.command) {
    case Command::summary: {
      const Analysis analysis = analyse_with_progress(trace);
      line.options.json ? report_summary_json(analysis, line.options, out)
                        : report_summary_text(analysis, line.options, out);
      return kDone;
    }
    case Command::stacks:
      return report_stacks(analyse_with_progress(trace), line.options, out)
                 ? kDone
                 : no_such_domain(trace, line.options.domain);
    case Command::leaks: return print_leaks(line, trace, out);
    case Command::diff: return print_diff(line, trace, out);
    case Command::chunks: {
      ProgressBar progress;
      report_chunks(trace, line.options, out, &progress);
      return kDone;
    }
    case Command::dump:
      line.dump_stats ? report_dump_stats(trace, line.options, out) : report_dump(trace, line.sections, out);
      return kDone;
  }
  return kOtherError;
}

}  // namespace

int run_command(const CommandLine& line, int descriptor) {
  Output out(descriptor);
  const Trace trace(TraceFile::open(line.trace));
  const int status = print_report(line, trace, out);
  out.flush();
  warn(trace.file);
  return status;
}

}  // namespace memprof
