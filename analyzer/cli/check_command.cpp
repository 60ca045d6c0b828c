#include "cli/check_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/progress_bar.h"
#include "gate/baseline.h"
#include "gate/check_json.h"
#include "gate/check_markdown.h"
#include "gate/check_text.h"
#include "gate/embedded_suppressions.h"
#include "gate/github_annotations.h"
#include "gate/judge.h"
#include "gate/junit.h"
#include "gate/memcheck_xml.h"
#include "gate/own_stacks.h"
#include "gate/sarif.h"
#include "gate/unrecorded_programs.h"
#include "gate/written_suppressions.h"
#include "report/escape.h"
#include "trace/new_file.h"

namespace memprof {

namespace {

// The files besides the report. What cannot be written is said, and keeps neither the others nor the report back.
class OutputFiles {
 public:
  // Nothing is wanted where there is no path.
  void write(const std::string& path, const std::function<void(Output&)>& print) {
    if (path.empty()) return;
    std::string text;
    Output out(&text);
    print(out);
    out.flush();
    try {
      NewFile file = NewFile::create(path);
      file.write(0, std::as_bytes(std::span(text)));
      file.commit(text.size());
    } catch (const NewTraceError& error) {
      say_on_stderr(fmt::format("memprof-analyze: {}\n", escape_text(error.what())));
      any_failed_ = true;
    }
  }
  bool any_failed() const { return any_failed_; }

 private:
  bool any_failed_ = false;
};

void say_once(std::set<std::string>& said, const std::string& path, const std::string& line) {
  if (said.insert(line).second)
    say_on_stderr(fmt::format("memprof-analyze: {}: {}\n", escape_text(path), escape_text(line)));
}

void print_verdict(const CommandLine& line, const Verdict& verdict, OutputFiles& files, Output& out) {
  const CheckLine& check = line.check;
  const std::string root = std::filesystem::absolute(check.source_root).lexically_normal().string();
  SarifOptions sarif_options;
  sarif_options.source_root = root;
  sarif_options.tool_version = kVersionNumber;
  const Verdict judged = verdict.judged_only();
  files.write(check.junit, [&](Output& file) { print_junit(judged, file); });
  files.write(check.sarif, [&](Output& file) { print_sarif(judged, sarif_options, file); });
  files.write(check.memcheck_xml, [&](Output& file) { print_memcheck_xml(judged, file); });
  files.write(check.markdown, [&](Output& file) { print_check_markdown(judged, {.source_root = root}, file); });
  if (line.options.json) {
    print_check_json(verdict, out);
    return;
  }
  if (check.github) print_github_annotations(judged, {.source_root = root}, out);
  CheckTextOptions options;
  if (line.options.max_frames) options.max_frames = *line.options.max_frames;
  if (line.options.top) options.max_findings = *line.options.top;
  print_check_text(verdict, options, out);
}

// Only what was seen wholly is a baseline.
void write_what_was_found(const CheckLine& check, const Verdict& verdict, OutputFiles& files) {
  if (!verdict.unseen.empty()) return;
  files.write(check.write_baseline,
              [&](Output& file) { file.write(baseline_text(verdict.findings, check.rules.fail_on_reachable_growth)); });
  files.write(check.write_suppressions, [&](Output& file) { file.write(written_suppressions(verdict.findings)); });
}

void look_for_own_stack(const SymbolOptions& symbols, const Blame& blame, std::vector<TraceFindings>& found) {
  for (TraceFindings& one : found) {
    const Trace trace(TraceFile::open(one.trace.path));
    one.has_own_stack = has_own_stack(trace, symbols, blame);
    if (one.has_own_stack) return;
  }
}

// Which recording a trace is, whatever its file is called and however it is packed. Of one recording several traces may
// have been made, each with other blocks.
auto recording_of(const format::FileHeader& header) {
  return std::make_tuple(header.pid, header.process_start, header.pid_namespace, header.start_ticks,
                         header.start_realtime_ns, header.made_of);
}
using Recording = decltype(recording_of(format::FileHeader{}));

// One path of each recording, in the order that they were given in, and the order to look at them in: parents first,
// who begin before the processes that they fork.
struct Given {
  std::vector<std::string> paths;
  std::vector<size_t> order;
};
Given open_headers(const std::vector<std::string>& traces, std::vector<std::string>& notes) {
  Given given;
  std::map<Recording, std::string> known;
  std::vector<std::pair<uint64_t, size_t>> begins;
  for (const std::string& path : traces) {
    const format::FileHeader header = TraceFile::open(path).header();
    const auto [same, is_new] = known.try_emplace(recording_of(header), path);
    if (is_new) {
      begins.emplace_back(header.start_ticks, given.paths.size());
      given.paths.push_back(path);
    } else {
      notes.push_back(fmt::format("{} is the same recording as {}: judged once", path, same->second));
    }
  }
  std::sort(begins.begin(), begins.end());
  for (const auto& [ticks, index] : begins) given.order.push_back(index);
  return given;
}

// What --tag and --domain name and no trace has; empty: nothing.
std::string unknown_in_all(const std::vector<TraceFindings>& found) {
  for (const JudgedBlocks::Unknown& unknown : found.front().unknown)
    if (std::all_of(found.begin(), found.end(), [&](const TraceFindings& trace) {
          return std::any_of(trace.unknown.begin(), trace.unknown.end(),
                             [&](const JudgedBlocks::Unknown& other) { return other.what == unknown.what; });
        }))
      return unknown.message;
  return {};
}

int judge_traces(const CommandLine& line, Output& out) {
  const CheckLine& check = line.check;
  Rules rules = check.rules;
  std::string problem;
  const Blame blame = Blame::parse(rules.only_from, check.ignored_modules, problem);
  if (problem.empty()) {
    rules.allowed_unrecorded = parse_patterns(check.allowed_unrecorded, problem);
    if (!problem.empty()) problem = "--allow-unrecorded: " + problem;
  }
  Suppressions suppressions;
  for (const std::string& file : check.suppression_files)
    if (problem.empty()) problem = suppressions.add_file(file);
  if (!problem.empty()) return refuse(problem);
  for (const std::string& file : check.budget_files)
    for (Budget& budget : read_budgets(file)) rules.budgets.push_back(std::move(budget));
  std::optional<Baseline> baseline;
  if (!check.baseline.empty()) baseline = Baseline::read(check.baseline);
  if (check.options_only) return kDone;

  StartedPrograms started;
  if (check.started_pid != 0) started.add_command(check.started_pid, check.started_program);
  std::set<std::string> said;
  std::vector<std::string> notes;
  const Given given = open_headers(check.traces, notes);
  std::vector<TraceFindings> found(given.paths.size());
  ReportedBlocks reported;
  for (const size_t i : given.order) {
    const std::string& path = given.paths[i];
    Trace trace(TraceFile::open(path));
    if (line.jobs) trace.threads = *line.jobs;
    started.add(trace);
    ProgressBar progress;
    found[i] =
        find_in_trace(trace, rules, line.options.symbols, &progress, given.paths.size() > 1 ? &reported : nullptr);
    for (const std::string& warning : found[i].warnings) say_once(said, path, warning);
    for (const EmbeddedSuppressions& embedded : embedded_suppressions(trace, line.options.symbols)) {
      const std::string wrong =
          embedded.problem.empty() ? suppressions.add_embedded(embedded.text, embedded.file) : embedded.problem;
      if (!wrong.empty()) say_once(said, embedded.file, wrong);
    }
  }
  if (const std::string unknown = unknown_in_all(found); !unknown.empty()) return refuse(unknown);
  if (rules.chooses_blocks()) notes.push_back(fmt::format("only blocks of {} are judged", judged_blocks_text(rules)));
  if (!rules.allow_unmatched && leaves_all_out(found, rules, blame))
    look_for_own_stack(line.options.symbols, blame, found);
  Verdict verdict = judge(std::move(found), rules, blame, std::move(suppressions), baseline ? &*baseline : nullptr);
  judge_unrecorded(started.unrecorded(), rules, verdict);
  verdict.notes = std::move(notes);
  OutputFiles files;
  write_what_was_found(check, verdict, files);
  print_verdict(line, verdict, files, out);
  if (files.any_failed()) {
    out.flush();
    return kOtherError;
  }
  // What was found is known from now on; the peak and what else is no finding is not in the file.
  const bool is_first_baseline = !check.write_baseline.empty() && check.baseline.empty();
  const bool passes = verdict.passed() || (is_first_baseline && verdict.passes_with_findings());
  if (passes && !verdict.passed() && !line.options.json)
    out.print("check: what fails is in {} from now on, so this time it passes\n", escape_text(check.write_baseline));
  out.flush();
  return passes ? kDone : kGateFailed;
}

}  // namespace

int run_check(const CommandLine& line, Output& out) {
  try {
    return judge_traces(line, out);
  } catch (const GateFileError& error) {
    return refuse(error.what());
  }
}

}  // namespace memprof
