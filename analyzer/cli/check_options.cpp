#include "cli/check_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "cli/unknown_value.h"
#include "report/domain_choice.h"
#include "report/number_range.h"

namespace memprof {

namespace {

constexpr const char* kReachableGrowth = "reachable-growth";
constexpr const char* kFailOnValues =
    "definite, possible, indirect, reachable-growth, mismatched-free, double-free, none";

// A variable of a CI job that is not set must not switch off what it is for.
std::string refuse_empty(const std::string& value) { return value.empty() ? "its value is empty" : ""; }

// One file has many names.
std::string file_of(const std::string& path) {
  std::error_code error;
  const auto canonical = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  return error ? path : canonical.string();
}

}  // namespace

void CheckOptions::add_to(CLI::App& command, CheckLine& line) {
  command.add_option("traces", line.traces, "The traces, judged together: parent and children, shards of a test run")
      ->type_name("TRACE");
  const auto text = [&](const char* name, std::string& value, const char* type, const char* help) {
    command.add_option(name, value, help)->type_name(type)->check(refuse_empty);
  };
  const auto texts = [&](const char* name, std::vector<std::string>& values, const char* type, const char* help) {
    command
        .add_option_function<std::vector<std::string>>(
            name, [&values](const std::vector<std::string>& given) { values = given; }, help)
        ->type_name(type)
        ->check(refuse_empty)
        ->take_all()
        ->allow_extra_args(false);
  };
  texts("--fail-on", fail_on_, "KINDS", "What fails, with commas between (default definite,mismatched-free)");
  text("--max-leaked-bytes", leaked_bytes_, "N", "Fail above so many leaked bytes, in place of on any definite leak");
  text("--max-leaked-blocks", leaked_blocks_, "N", "The same in blocks");
  text("--max-site-leaked-bytes", site_bytes_, "N", "The same for each allocating place alone");
  text("--max-site-leaked-blocks", site_blocks_, "N", "The same in blocks");
  text("--max-peak", peak_, "N", "Fail when more bytes were open at one time, in any of the traces");
  text("--max-allocations", allocations_, "N", "Fail above so many allocations, of all traces together");
  text("--max-temporary", temporary_, "N", "Fail above so many temporary allocations, of all traces together");
  texts("--budget", line.budget_files, "FILE", "Limits of functions and modules, one a line (README.md)");
  texts("--only-from", line.rules.only_from, "DIR|GLOB", "Only what goes through sources or modules of that name");
  texts("--tag", line.rules.tags, "PATTERN",
        "Only blocks of an allocating function or a tag of the program's: parse, 'new*'");
  texts("--domain", domains_, "NAME", "Only blocks of these domains: cpu (the heap), gpu, ..., all");
  texts("--ignore-module", line.ignored_modules, "GLOB", "Not what these modules allocate");
  text("--baseline", line.baseline, "FILE", "What is known: only new and grown findings fail");
  text("--write-baseline", line.write_baseline, "FILE", "Write what is found now as the baseline");
  texts("--suppressions", line.suppression_files, "FILE",
        "Suppressions as valgrind's (.supp) or LeakSanitizer's (leak:)");
  text("--write-suppressions", line.write_suppressions, "FILE",
       "Write what is found now as suppressions of valgrind's");
  command.add_flag("--fail-on-stale", line.rules.fail_on_stale, "Fail when a suppression matches nothing any more");
  command.add_flag("--allow-incomplete", line.rules.allow_incomplete, "Pass although a recording ends early");
  command.add_flag("--allow-dropped", line.rules.allow_dropped, "Pass although events were dropped");
  command.add_flag("--allow-unclassified", line.rules.allow_unclassified,
                   "Pass although blocks could not be classified");
  command.add_flag("--allow-unmatched", line.rules.allow_unmatched,
                   "Pass although --only-from, --tag or --domain match nothing");
  texts("--allow-unrecorded", line.allowed_unrecorded, "GLOB", "Pass although these programs left no trace");
  text("--started", started_, "PID=PROGRAM", "A process that must have left a trace, for scripts that start one");
  command.add_flag("--options-only", line.options_only, "Look at the options and the files that they name, and stop");
  text("--junit", line.junit, "FILE", "Write JUnit XML (GitLab, Jenkins)");
  text("--sarif", line.sarif, "FILE", "Write SARIF 2.1.0 (code scanning)");
  text("--memcheck-xml", line.memcheck_xml, "FILE", "Write XML as valgrind's, protocol 4 (Jenkins, CTest)");
  text("--markdown", line.markdown, "FILE", "Write Markdown for a comment on a pull request");
  command.add_flag("--github", line.github, "Print annotations for a GitHub workflow too");
  command.add_option("--source-root", line.source_root, "Of the checkout: paths in outputs are relative to it")
      ->type_name("DIR")
      ->default_str(".");
}

std::string CheckOptions::take_kinds(CheckLine& line) const {
  Rules& rules = line.rules;
  if (fail_on_.empty()) {
    // Whoever says how much may leak does not want to fail on less.
    if (rules.has_leaked_limit()) rules.fail_on.erase(FindingKind::definite);
    return {};
  }
  rules.fail_on.clear();
  for (const std::string& list : fail_on_) {
    for (size_t begin = 0, end = 0; end != list.npos; begin = end + 1) {
      end = list.find(',', begin);
      const std::string word = list.substr(begin, end - begin);
      const auto kind = parse_finding_kind(word);
      if (word == kReachableGrowth)
        rules.fail_on_reachable_growth = true;
      else if (kind && *kind != FindingKind::reachable)
        rules.fail_on.insert(*kind);
      else if (word != "none")
        return unknown_value("--fail-on", word, kFailOnValues);
    }
  }
  if (rules.fail_on_reachable_growth && line.baseline.empty() && line.write_baseline.empty())
    return "--fail-on reachable-growth compares with a baseline: add --baseline FILE";
  return {};
}

std::string CheckOptions::take_domains(CheckLine& line) const {
  Rules& rules = line.rules;
  std::string problem;
  parse_patterns(rules.tags, problem);
  if (!problem.empty()) return "--tag " + problem;
  bool has_heap = domains_.empty();
  for (const std::string& names : domains_) {
    rules.domain += (rules.domain.empty() ? "" : ",") + names;
    for (size_t begin = 0, end = 0; end != names.npos; begin = end + 1) {
      end = names.find(',', begin);
      const std::string name = names.substr(begin, end - begin);
      has_heap = has_heap || name == "cpu" || name == kAllDomains;
    }
  }
  if (!has_heap && rules.asks_for_leaks())
    return fmt::format(
        "--domain {}: only of the heap (cpu) can be told what is lost; name cpu too, or say --fail-on mismatched-free "
        "or "
        "none, with limits as --max-peak and --max-allocations, which are of the domains that are named",
        rules.domain);
  return {};
}

std::string CheckOptions::take_started(CheckLine& line) const {
  if (started_.empty()) return {};
  const size_t end = started_.find('=');
  const auto pid = parse_bytes(started_.substr(0, end));
  if (end == started_.npos || !pid || *pid == 0 || *pid > UINT32_MAX)
    return fmt::format("--started {} names no process, as 1234=./tests does", started_);
  line.started_pid = static_cast<uint32_t>(*pid);
  line.started_program = started_.substr(end + 1);
  return {};
}

std::string CheckOptions::check(CheckLine& line, bool json) const {
  struct Limit {
    const char* option;
    const std::string& text;
    std::optional<uint64_t>& value;
  };
  Rules& rules = line.rules;
  const Limit limits[] = {
      {"--max-leaked-bytes", leaked_bytes_, rules.max_leaked_bytes},
      {"--max-leaked-blocks", leaked_blocks_, rules.max_leaked_blocks},
      {"--max-site-leaked-bytes", site_bytes_, rules.max_site_leaked_bytes},
      {"--max-site-leaked-blocks", site_blocks_, rules.max_site_leaked_blocks},
      {"--max-peak", peak_, rules.max_peak},
      {"--max-allocations", allocations_, rules.max_allocations},
      {"--max-temporary", temporary_, rules.max_temporary},
  };
  for (const Limit& limit : limits) {
    if (limit.text.empty()) continue;
    limit.value = parse_bytes(limit.text);
    if (!limit.value) return fmt::format("{} {} is no number, as 1000, 64K and 1.5M are", limit.option, limit.text);
  }
  if (std::string problem = take_kinds(line); !problem.empty()) return problem;
  if (std::string problem = take_domains(line); !problem.empty()) return problem;
  if (std::string problem = take_started(line); !problem.empty()) return problem;
  if (json && line.github) return "--json and --github both want standard output";
  const std::pair<const char*, const std::string&> given[] = {
      {"--junit", line.junit},
      {"--sarif", line.sarif},
      {"--memcheck-xml", line.memcheck_xml},
      {"--markdown", line.markdown},
      {"--write-baseline", line.write_baseline},
      {"--write-suppressions", line.write_suppressions},
  };
  std::set<std::string> outputs;
  for (const auto& [option, output] : given) {
    if (output == "-")
      return fmt::format("{} -: standard output is for the report; name a file (one of that name is ./-)", option);
    if (!output.empty() && !outputs.insert(file_of(output)).second)
      return fmt::format("two outputs are to be written to {}", output);
  }
  for (const std::string& trace : line.traces)
    if (outputs.contains(file_of(trace))) return fmt::format("{} is a trace and would be overwritten", trace);
  return {};
}

}  // namespace memprof
