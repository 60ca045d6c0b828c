#include "cli/check_command.h"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <span>

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
#include "gate/sarif.h"
#include "gate/unrecorded_programs.h"
#include "gate/written_suppressions.h"
#include "report/escape.h"
#include "trace/new_file.h"

namespace memprof {

namespace {

void write_file(const std::string& path, std::string_view text) {
  NewFile file = NewFile::create(path);
  file.write(0, std::as_bytes(std::span(text)));
  file.commit(text.size());
}

void write_output(const std::string& path, const std::function<void(Output&)>& print) {
  if (path.empty()) return;
  std::string text;
  Output out(&text);
  print(out);
  out.flush();
  write_file(path, text);
}

void say_once(std::set<std::string>& said, const std::string& path, const std::string& line) {
  if (said.insert(line).second)
    say_on_stderr(fmt::format("memprof-analyze: {}: {}\n", escape_text(path), escape_text(line)));
}

void print_verdict(const CommandLine& line, const Verdict& verdict, Output& out) {
  const CheckLine& check = line.check;
  const std::string root = std::filesystem::absolute(check.source_root).lexically_normal().string();
  SarifOptions sarif_options;
  sarif_options.source_root = root;
  sarif_options.tool_version = kVersionNumber;
  write_output(check.junit, [&](Output& file) { print_junit(verdict, file); });
  write_output(check.sarif, [&](Output& file) { print_sarif(verdict, sarif_options, file); });
  write_output(check.memcheck_xml, [&](Output& file) { print_memcheck_xml(verdict, file); });
  write_output(check.markdown, [&](Output& file) { print_check_markdown(verdict, {.source_root = root}, file); });
  if (line.options.json) {
    print_check_json(verdict, out);
    return;
  }
  if (check.github) print_github_annotations(verdict, {.source_root = root}, out);
  CheckTextOptions options;
  if (line.options.max_frames) options.max_frames = *line.options.max_frames;
  if (line.options.top) options.max_findings = *line.options.top;
  print_check_text(verdict, options, out);
}

// Only what was seen wholly is a baseline.
void write_what_was_found(const CheckLine& check, const Verdict& verdict) {
  if (!verdict.unseen.empty()) return;
  if (!check.write_baseline.empty())
    write_file(check.write_baseline, baseline_text(verdict.findings, check.rules.fail_on_reachable_growth));
  if (!check.write_suppressions.empty()) write_file(check.write_suppressions, written_suppressions(verdict.findings));
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

  std::vector<TraceFindings> found;
  StartedPrograms started;
  if (check.started_pid != 0) started.add_command(check.started_pid, check.started_program);
  std::set<std::string> said;
  for (const std::string& path : check.traces) {
    Trace trace(TraceFile::open(path));
    if (line.jobs) trace.threads = *line.jobs;
    started.add(trace);
    ProgressBar progress;
    found.push_back(find_in_trace(trace, rules, line.options.symbols, &progress));
    for (const std::string& warning : found.back().warnings) say_once(said, path, warning);
    for (const EmbeddedSuppressions& embedded : embedded_suppressions(trace, line.options.symbols)) {
      const std::string wrong =
          embedded.problem.empty() ? suppressions.add_embedded(embedded.text, embedded.file) : embedded.problem;
      if (!wrong.empty()) say_once(said, embedded.file, wrong);
    }
  }
  Verdict verdict = judge(std::move(found), rules, blame, std::move(suppressions), baseline ? &*baseline : nullptr);
  judge_unrecorded(started.unrecorded(), rules, verdict);
  write_what_was_found(check, verdict);
  print_verdict(line, verdict, out);
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
