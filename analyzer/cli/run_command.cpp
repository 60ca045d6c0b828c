#include "cli/run_command.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/progress_bar.h"
#include "cli/symbolize_command.h"
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

int no_such_function(const std::string& name, const std::vector<std::string>& functions) {
  const std::string near = nearest_word(name, functions);
  fmt::print(stderr, "memprof-analyze: no function {} is on a stack of the trace{}\n", escape_text(name),
             near.empty() ? "" : fmt::format(", did you mean {}?", escape_text(near)));
  return kUsageError;
}

int print_tree(const CommandLine& line, Trace& trace, Output& out) {
  std::vector<std::string> functions;
  TreeResult result;
  {
    ProgressBar progress;
    result = report_tree(trace, line.options, out, &progress, &functions);
  }
  switch (result) {
    case TreeResult::done: break;
    case TreeResult::no_domain: return no_such_domain(trace, line.options.domain);
    case TreeResult::no_function: return no_such_function(line.options.callers, functions);
  }
  return kDone;
}

// Those that analyse with what their options need.
int print_table(const CommandLine& line, Trace& trace, Output& out) {
  const auto print = [&](ProgressBar& progress) {
    switch (line.command) {
      case Command::sizes: return report_sizes(trace, line.options, out, &progress);
      case Command::lifetimes: return report_lifetimes(trace, line.options, out, &progress);
      case Command::threads: return report_threads(trace, line.options, out, &progress);
      default: break;
    }
    const SiteExtras extras(trace, line.options);
    const Analysis analysis = analyse(trace, extras.visitor(), &progress);
    return line.command == Command::leaks ? report_leaks(analysis, line.options, out, extras)
                                          : report_stacks(analysis, line.options, out, extras);
  };
  bool has_domain;
  {
    ProgressBar progress;
    has_domain = print(progress);
  }
  return has_domain ? kDone : no_such_domain(trace, line.options.domain);
}

// Blocks of a span of time, or that grow; those open at the end are a table.
int print_leaks(const CommandLine& line, Trace& trace, Output& out) {
  const ReportOptions& options = line.options;
  bool has_domain = false;
  if (options.growth) {
    ProgressBar progress;
    has_domain = report_leaks_growth(trace, options, out, &progress);
  } else if (options.older_ns || options.between) {
    ProgressBar progress;
    const LeakSpan span = find_leak_span(trace, options, &progress);
    if (!span.problem.empty()) {
      say_on_stderr(fmt::format("memprof-analyze: {}\n", escape_text(span.problem)));
      return kUsageError;
    }
    has_domain = report_leaks_of_span(trace, span, options, out, &progress);
  } else {
    return print_table(line, trace, out);
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

int print_report(const CommandLine& line, Trace& trace, Output& out) {
  switch (line.command) {
    case Command::summary: {
      const Analysis analysis = analyse_with_progress(trace);
      line.options.json ? report_summary_json(analysis, line.options, out)
                        : report_summary_text(analysis, line.options, out);
      return kDone;
    }
    case Command::stacks:
    case Command::sizes:
    case Command::lifetimes:
    case Command::threads: return print_table(line, trace, out);
    case Command::leaks: return print_leaks(line, trace, out);
    case Command::diff: return print_diff(line, trace, out);
    case Command::tree: return print_tree(line, trace, out);
    case Command::timeline: {
      ProgressBar progress;
      return report_timeline(trace, line.options, out, &progress) ? kDone : no_such_domain(trace, line.options.domain);
    }
    case Command::chunks: {
      ProgressBar progress;
      report_chunks(trace, line.options, out, &progress);
      return kDone;
    }
    case Command::symbolize: return run_symbolize(line, trace, out);
    case Command::dump:
      line.dump_stats ? report_dump_stats(trace, line.options, out) : report_dump(trace, line.sections, out);
      return kDone;
  }
  return kOtherError;
}

}  // namespace

int run_command(const CommandLine& line, int descriptor) {
  Output out(descriptor);
  Trace trace(TraceFile::open(line.trace));
  const int status = print_report(line, trace, out);
  out.flush();
  warn(trace.file);
  return status;
}

}  // namespace memprof
