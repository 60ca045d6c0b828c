#include "cli/run_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/check_command.h"
#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/progress_bar.h"
#include "cli/rewrite_commands.h"
#include "cli/symbolize_command.h"
#include "reach/classification.h"
#include "report/domain_choice.h"
#include "report/escape.h"
#include "report/leaks_graph.h"
#include "report/selection_builder.h"
#include "report/selection_text.h"

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

int no_such_domain(const Trace& trace, const std::string& names) {
  const std::string name = named_domains(trace, names).unknown.front();
  std::vector<std::string> known;
  for (const Domain& domain : trace.domains.all()) known.push_back(domain.name);
  return refuse(fmt::format("the trace has no domain {}{}; it has: {} (all: every one)", name,
                            did_you_mean(name, known), fmt::join(known, ", ")));
}

int no_such_function(const std::string& name, const std::vector<std::string>& functions) {
  return refuse(fmt::format("no function {} is on a stack of the trace{}", name, did_you_mean(name, functions)));
}

Trace open_trace(const std::string& path, const CommandLine& line) {
  Trace trace(TraceFile::open(path));
  if (line.jobs) trace.threads = *line.jobs;
  if (line.options.symbols.cache) trace.cache = CacheDirectory(CacheDirectory::default_path());
  return trace;
}

// Makes the trace's selection of the filters.
BuiltSelection select(Trace& trace, const ReportOptions& options) {
  ProgressBar progress;
  BuiltSelection built = build_selection(trace, options.filters, options.symbols, &progress);
  // Of an extracted trace there is nothing outside its own window.
  const Selection whole = std::exchange(trace.selection, built.selection);
  trace.selection.from_ns = std::max(trace.selection.from_ns, whole.from_ns);
  trace.selection.to_ns = std::min(trace.selection.to_ns, whole.to_ns);
  return built;
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

int print_leaks_graph(const CommandLine& line, Trace& trace, Output& out) {
  const ReportOptions& options = line.options;
  ProgressBar progress;
  const std::unique_ptr<Classification> classes = classify_trace(trace, &progress);
  if (options.retained) report_leaks_retained(trace, *classes, options, out);
  if (options.cycles) report_leaks_cycles(trace, *classes, options, out);
  if (options.who_points_at.empty()) return kDone;
  const PointersResult result = report_leaks_pointers(trace, *classes, options.who_points_at, options, out);
  return result.problem.empty() ? kDone : refuse(result.problem);
}

// Blocks of a span of time, or that grow; those open at the end are a table.
int print_leaks(const CommandLine& line, Trace& trace, Output& out) {
  const ReportOptions& options = line.options;
  bool has_domain = false;
  if (options.asks_graph()) return print_leaks_graph(line, trace, out);
  if (options.growth) {
    ProgressBar progress;
    has_domain = report_leaks_growth(trace, options, out, &progress);
  } else if (options.older_ns || options.between) {
    ProgressBar progress;
    const LeakSpan span = find_leak_span(trace, options, &progress);
    if (!span.problem.empty()) return refuse(span.problem);
    has_domain = report_leaks_of_span(trace, span, options, out, &progress);
  } else {
    return print_table(line, trace, out);
  }
  return has_domain ? kDone : no_such_domain(trace, options.domain);
}

// A name that is misspelled is in neither trace; one that is in one of them may be what is new or gone.
int print_diff(const CommandLine& line, Trace& before, Output& out) {
  Trace after = open_trace(line.new_trace, line);
  choose_domains(after, named_domains(after, line.options.domain).domains);
  const BuiltSelection old_selection = select(before, line.options), new_selection = select(after, line.options);
  if (!old_selection.problem.empty()) return refuse("OLD: " + old_selection.problem);
  if (!new_selection.problem.empty()) return refuse("NEW: " + new_selection.problem);
  for (const BuiltSelection::Unknown& unknown : new_selection.unknown)
    for (const BuiltSelection::Unknown& other : old_selection.unknown)
      if (unknown.what == other.what) return refuse(unknown.message);
  bool has_domain = false;
  {
    ProgressBar progress;
    has_domain = report_diff(before, after, line.options, out, &progress);
  }
  if (!has_domain) return no_such_domain(after, line.options.domain);
  warn(after.file);
  return kDone;
}

int print_summary(const CommandLine& line, Trace& trace, Output& out) {
  const Analysis analysis = analyse_with_progress(trace);
  std::optional<GroupedSums> grouped;
  if (line.options.group != GroupBy::stack) {
    ProgressBar progress;
    grouped.emplace(trace, line.options, &progress);
  }
  const GroupedSums* const lists = grouped ? &*grouped : nullptr;
  const bool has_domain = line.options.json ? report_summary_json(analysis, line.options, out, lists)
                                            : report_summary_text(analysis, line.options, out, lists);
  return has_domain ? kDone : no_such_domain(trace, line.options.domain);
}

int print_chunks(const CommandLine& line, Trace& trace, Output& out) {
  ChunksResult result;
  {
    ProgressBar progress;
    const std::unique_ptr<Classification> classes = classify_trace(trace, &progress);
    result = report_chunks(trace, line.options, out, &progress, classes.get());
  }
  if (result == ChunksResult::no_domain) return no_such_domain(trace, *line.options.chunks_domain);
  // Lines of JSON have no place for it.
  if (result == ChunksResult::empty)
    say_on_stderr(fmt::format("memprof-analyze: no block was printed{}\n", describe_emptiness(trace, line.options)));
  return kDone;
}

int print_report(const CommandLine& line, Trace& trace, Output& out) {
  switch (line.command) {
    case Command::summary: return print_summary(line, trace, out);
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
    case Command::chunks: return print_chunks(line, trace, out);
    case Command::extract:
    case Command::strip:
    case Command::compress:
    case Command::decompress: return run_rewrite(line, trace, out);
    case Command::symbolize: return run_symbolize(line, trace, out);
    case Command::check: break;  // has several traces
    case Command::dump:
      line.dump_stats ? report_dump_stats(trace, line.options, out) : report_dump(trace, line.sections, out);
      return kDone;
  }
  return kOtherError;
}

// A table of commas has no place for it either.
void say_if_empty(const CommandLine& line, const Trace& trace, const Output& out) {
  if (!line.options.csv || out.lines() > 1) return;
  const bool is_diff = line.command == Command::diff;
  const std::string filters = is_diff ? describe_filters(line.options) : std::string();
  say_on_stderr(fmt::format("memprof-analyze: the table is empty{}\n", !is_diff
                                                                           ? describe_emptiness(trace, line.options)
                                                                       : filters.empty() ? ""
                                                                                         : "; only: " + filters));
}

}  // namespace

int run_command(const CommandLine& given, int descriptor) {
  CommandLine line = given;
  Output out(descriptor);
  if (line.command == Command::check) return run_check(line, out);
  Trace trace = open_trace(line.trace, line);
  if (line.options.filters.choose() && line.command != Command::diff) {
    const BuiltSelection built = select(trace, line.options);
    if (!built.problem.empty()) return refuse(built.problem);
    if (!built.unknown.empty()) return refuse(built.unknown.front().message);
    line.options.filter_counts = built.counts;
  }
  choose_domains(trace, named_domains(trace, line.options.domain).domains);
  const int status = print_report(line, trace, out);
  out.flush();
  if (status == kDone) say_if_empty(line, trace, out);
  warn(trace.file);
  return status;
}

}  // namespace memprof
