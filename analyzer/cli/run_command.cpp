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
    case Command::leaks:
      return report_leaks(analyse_with_progress(trace), line.options, out) ? kDone
                                                                           : no_such_domain(trace, line.options.domain);
    case Command::timeline: {
      ProgressBar progress;
      return report_timeline(trace, line.options, out, &progress) ? kDone : no_such_domain(trace, line.options.domain);
    }
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
