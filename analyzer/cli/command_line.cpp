#include "cli/command_line.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/diff_options.h"
#include "cli/exit_status.h"
#include "cli/filter_options.h"
#include "cli/leaks_options.h"
#include "cli/rewrite_commands.h"
#include "cli/symbolize_command.h"
#include "cli/unknown_value.h"
#include "report/domain_choice.h"
#include "report/escape.h"

namespace memprof {

namespace {

constexpr const char* kJobsHelp = "On how many threads (default: one a processor)";
constexpr int64_t kMostJobs = 256;

const std::string kVersion = fmt::format("memprof-analyze {}, trace format 1", kVersionNumber);

struct CommandInfo {
  Command command;
  const char* name;
  const char* description;
};
constexpr CommandInfo kCommands[] = {
    {Command::summary, "summary", "Totals, peak and the stacks that matter most (the default)"},
    {Command::stacks, "stacks", "Allocating stacks in the order of one of their numbers"},
    {Command::leaks, "leaks", "Blocks not freed at exit, by stack"},
    {Command::tree, "tree", "Who calls what, with the bytes of everything below"},
    {Command::sizes, "sizes", "How large the blocks are, over all and by stack"},
    {Command::lifetimes, "lifetimes", "How long freed blocks lived, over all and by stack"},
    {Command::threads, "threads", "Which thread allocates, which frees, who hands blocks to whom"},
    {Command::timeline, "timeline", "What is open over time, the rates, the process's memory, marks"},
    {Command::chunks, "chunks", "Every block as one JSON object a line"},
    {Command::diff, "diff", "What changed from one trace to another, by stack"},
    {Command::check, "check", "Pass or fail: leaks, limits, budgets, against a baseline, for a CI job"},
    {Command::extract, "extract", "Write a trace of a window of time, with the blocks that were open when it began"},
    {Command::strip, "strip", "Write a trace without some blocks: the temporary ones, unless filters say which stay"},
    {Command::compress, "compress", "Write the trace packed: every command reads it, and a part of it alone"},
    {Command::decompress, "decompress", "Write a packed trace as it was recorded"},
    {Command::symbolize, "symbolize", "Write a trace that carries its symbols, to be read where the binaries are not"},
    {Command::dump, "dump", "The trace file itself, page by page and record by record"},
};

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const CommandInfo& info : kCommands) names.push_back(info.name);
  return names;
}

std::string list_commands() { return fmt::format("commands: {}", fmt::join(command_names(), ", ")); }

// Those of a report that has several; the first is the default.
std::vector<std::string> csv_tables(Command command) {
  switch (command) {
    case Command::sizes: return {"bins", "exact", "sites"};
    case Command::lifetimes: return {"bins", "sites"};
    case Command::threads: return {"threads", "hand-overs"};
    case Command::timeline: return {"series", "groups"};
    default: return {};
  }
}

class Parser {
 public:
  Parser()
      : app_("Explains what memprof recorded: where memory is allocated, what is left, what the peak is made of.",
             "memprof-analyze") {
    app_.set_version_flag("--version", kVersion);
    app_.require_subcommand(0, 1);
    app_.allow_extras();
    app_.footer("The trace is ./trace.bin unless named. A file named like a command: memprof-analyze ./stacks");
    add_common(app_);
    add_domain(app_, "cpu");
    add_group(app_);
    for (const CommandInfo& info : kCommands) add_command(info);
  }

  ParseResult parse(std::vector<std::string> arguments) {
    ParseResult result;
    try {
      std::reverse(arguments.begin(), arguments.end());  // what CLI11 wants
      app_.parse(std::move(arguments));
      finish(result);
    } catch (const CLI::Success& success) {
      result = {true, kDone, final_text(success), {}};
    } catch (const CLI::ParseError& error) {
      result = usage_error(error.what());
    }
    return result;
  }

 private:
  void add_common(CLI::App& app, bool is_filtered = true) {
    app.add_option("trace", trace_, "The trace file")->type_name("TRACE");
    add_common_options(app, is_filtered);
  }

  void add_common_options(CLI::App& app, bool is_filtered = true) {
    app.add_flag("--json", line_.options.json, "Machine-readable output");
    app.add_option("--top", top_, "How many stacks to list (0: all)")->type_name("N");
    app.add_option("--max-frames", max_frames_, "How many frames of each stack to show")->type_name("N");
    app.add_flag("--no-symbols", no_symbols_, "Show module+0xoffset, look no symbols up");
    app.add_option("--jobs", jobs_, kJobsHelp)->type_name("N");
    add_filter_options(app, line_.options.filters, is_filtered);
    add_cache_option(app, line_);
  }

  void add_domain(CLI::App& app, const char* otherwise) {
    // Given again, before or after the command, or with commas: one more.
    app.add_option_function<std::vector<std::string>>(
           "--domain",
           [this](const std::vector<std::string>& more) {
             for (const std::string& names : more) domain_ += (domain_.empty() ? "" : ",") + names;
           },
           "Of which blocks: cpu (the heap), mmap, gpu, external, ..., all; cpu,gpu: both together")
        ->type_name("NAME")
        ->allow_extra_args(false)
        ->default_str(otherwise);
  }

  void add_group(CLI::App& app) {
    app.add_option("--group", group_, fmt::format("What is taken as one: {}", group_names()))
        ->type_name("WHAT")
        ->default_str("stack");
  }

  void add_command(const CommandInfo& info) {
    CLI::App& command = *app_.add_subcommand(info.name, info.description);
    command.allow_extras();
    if (info.command == Command::check) {
      add_check(command);
      return;
    }
    if (info.command == Command::symbolize) {
      add_symbolize_options(command, line_, trace_);
      command.add_option("--jobs", jobs_, kJobsHelp)->type_name("N");
      return;
    }
    if (is_rewrite(info.command)) {
      add_rewrite_options(command, info.command, line_, trace_);
      command.add_option("--jobs", jobs_, kJobsHelp)->type_name("N");
      return;
    }
    if (info.command == Command::diff) {
      command.add_option("old", trace_, "The trace to compare with")->type_name("OLD");
      command.add_option("new", line_.new_trace, "The trace that is looked at")->type_name("NEW");
      add_common_options(command);
      diff_.add_to(command, line_.options);
    } else {
      add_common(command, info.command != Command::dump);
    }
    if (info.command == Command::leaks) leaks_.add_to(command, line_.options);
    const auto is_one_of = [&](std::initializer_list<Command> commands) {
      return std::find(commands.begin(), commands.end(), info.command) != commands.end();
    };
    if (is_one_of({Command::stacks, Command::tree, Command::diff}))
      command.add_option("--by", by_, fmt::format("The order: {}", rank_names()))
          ->type_name("WHAT")
          ->default_str("open");
    if (info.command != Command::dump) add_group(command);
    if (is_one_of(
            {Command::stacks, Command::leaks, Command::tree, Command::sizes, Command::lifetimes, Command::threads}))
      command.add_flag("--csv", line_.options.csv, "The table as RFC 4180, in bytes and ns");
    if (const auto tables = csv_tables(info.command); !tables.empty())
      command.add_option("--table", line_.options.table, fmt::format("Which for --csv: {}", fmt::join(tables, ", ")))
          ->type_name("NAME");
    if (info.command == Command::tree) {
      command.add_option("--direction", direction_, "From where: top-down (main), bottom-up (the allocating function)")
          ->type_name("WAY")
          ->default_str("top-down");
      command.add_option("--min-percent", line_.options.min_percent, "Leave out what has less of the whole")
          ->type_name("P")
          ->default_str("1");
      command
          .add_option("--callers", line_.options.callers,
                      "Only who calls this function (a name or pattern, as --function)")
          ->type_name("FUNCTION");
    }
    add_domain(command, info.command == Command::chunks ? "all" : "cpu");
    if (info.command == Command::timeline) {
      command.add_option("--points", points_, "Into how many intervals the time is cut")
          ->type_name("N")
          ->default_str("the width of the chart");
      command.add_flag("--csv", line_.options.csv, "One line an interval, for a spreadsheet");
    }
    if (info.command == Command::dump) {
      DumpSections& sections = line_.sections;
      command.add_flag("--stats", line_.dump_stats,
                       "Only how the bytes are used: by stream, an event, an alloc+free pair");
      command.add_flag("--header", sections.header, "The file header");
      command.add_flag("--pages", sections.pages, "The page headers");
      command.add_flag("--metadata", sections.metadata, "Command line, settings, marks, thread names");
      command.add_flag("--modules", sections.modules, "The loaded objects");
      command.add_flag("--nodes", sections.nodes, "The stack nodes");
      command.add_flag("--events", sections.events, "The events, stream by stream");
      command.add_flag("--snapshots", sections.snapshots, "What pointed where, word by word");
    }
  }

  void add_check(CLI::App& command) {
    check_.add_to(command, line_.check);
    command.footer(
        "Exit status:\n"
        "  0  passed\n"
        "  1  the gate failed: a leak, a wrong free, a broken limit, or something that was not seen\n"
        "  2  an option, or a file that it names, is wrong\n"
        "  3  a trace cannot be read\n"
        "  4  an output file cannot be written (the verdict is printed all the same), or another error");
    command.add_flag("--json", line_.options.json, "Machine-readable output");
    command.add_option("--top", top_, "How many findings to tell in full (0: all)")->type_name("N");
    command.add_option("--max-frames", max_frames_, "How many frames of each stack to show")->type_name("N");
    command.add_flag("--no-symbols", no_symbols_, "Show module+0xoffset, look no symbols up");
    command.add_option("--jobs", jobs_, kJobsHelp)->type_name("N");
    add_cache_option(command, line_);
  }

  const CLI::App& chosen_app() const {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? app_ : *chosen.front();
  }

  std::string final_text(const CLI::Success& success) const {
    if (dynamic_cast<const CLI::CallForVersion*>(&success)) return kVersion + "\n";
    return help_text();
  }

  // CLI11's own usage line names neither the program of a subcommand nor that the command comes first.
  std::string help_text() const {
    std::string text = chosen_app().help();
    const size_t usage = text.find("Usage:");
    const size_t line_end = text.find('\n', usage);
    if (usage == std::string::npos || line_end == std::string::npos) return text;
    const auto chosen = app_.get_subcommands();
    const std::string command = chosen.empty() ? "[COMMAND]" : chosen.front()->get_name();
    return text.replace(usage, line_end - usage,
                        fmt::format("\nUsage: memprof-analyze {} [OPTIONS] {}", command,
                                    command == "diff"    ? "OLD NEW"
                                    : command == "check" ? "[TRACE...]"
                                                         : "[TRACE]"));
  }

  ParseResult usage_error(std::string message) const {
    const auto chosen = app_.get_subcommands();
    const std::string command = chosen.empty() ? "" : chosen.front()->get_name() + " ";
    return {true,
            kUsageError,
            fmt::format("memprof-analyze: {} (see memprof-analyze {}--help)\n", escape_text(message), command),
            {}};
  }

  static bool exists(const std::string& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0;
  }

  std::vector<std::string> option_names() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : chosen_app().get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
  }

  ParseResult unknown_argument(const std::string& argument) const {
    if (argument.starts_with("-")) {
      return usage_error(fmt::format("unknown option {}{}", argument,
                                     did_you_mean(argument.substr(0, argument.find('=')), option_names())));
    }
    const auto chosen = app_.get_subcommands();
    if (!chosen.empty() && chosen.front()->get_name() == "diff")
      return usage_error(
          fmt::format("diff compares two traces, found {}, {} and {}", trace_, line_.new_trace, argument));
    return usage_error(fmt::format("one trace at a time, found {} and {}", trace_, argument));
  }

  ParseResult unknown_command(const std::string& word) const {
    return usage_error(
        fmt::format("unknown command {}{}; {}", word, did_you_mean(word, command_names()), list_commands()));
  }

  // A word in the place of a command that is neither a command nor a file.
  bool looks_like_command(const std::string& word, bool more_follows) const {
    if (word.empty() || exists(word)) return false;
    static const std::vector<std::string> kPlanned = {"export", "report", "help"};
    const bool is_word = word.find_first_of("./%") == std::string::npos;
    return is_word && (more_follows || !nearest_word(word, command_names()).empty() ||
                       std::find(kPlanned.begin(), kPlanned.end(), word) != kPlanned.end());
  }

  void finish(ParseResult& result) {
    const auto chosen = app_.get_subcommands();
    std::vector<std::string> extra = app_.remaining(true);
    std::erase(extra, "--");
    const auto surplus =
        std::find_if(extra.begin(), extra.end(), [](const std::string& e) { return !e.starts_with("-"); });
    if (chosen.empty() && looks_like_command(trace_, surplus != extra.end())) {
      result = unknown_command(trace_);
      return;
    }
    if (!extra.empty()) {
      result = unknown_argument(extra.front());
      return;
    }
    for (const CommandInfo& info : kCommands)
      if (!chosen.empty() && chosen.front()->get_name() == info.name) line_.command = info.command;
    line_.names_trace = !trace_.empty() || !line_.check.traces.empty() || line_.check.options_only;
    if (!trace_.empty()) line_.trace = trace_;
    if (line_.check.traces.empty()) line_.check.traces = {line_.trace};
    std::string problem = check_values();
    if (problem.empty()) problem = check_nothing_is_empty();
    if (!problem.empty()) {
      result = usage_error(std::move(problem));
      return;
    }
    result.line = line_;
  }

  // Empty when all is well.
  std::string check_values() {
    line_.options.symbols.wanted = !no_symbols_;
    if ((top_ != kUnset && top_ < 0) || (max_frames_ != kUnset && max_frames_ < 0))
      return "--top and --max-frames take a number from 0";
    if (top_ != kUnset) line_.options.top = top_ == 0 ? SIZE_MAX : static_cast<size_t>(top_);
    if (max_frames_ != kUnset)
      line_.options.max_frames = max_frames_ == 0 ? StackNodes::kMaxFrames : static_cast<size_t>(max_frames_);
    if (jobs_ != kUnset && (jobs_ < 1 || jobs_ > kMostJobs))
      return fmt::format("--jobs takes a number from 1 to {}", kMostJobs);
    if (jobs_ != kUnset) line_.jobs = line_.options.symbols.workers = static_cast<unsigned>(jobs_);
    if (points_ != kUnset && (points_ < 1 || points_ > static_cast<int64_t>(kMostTimelinePoints)))
      return fmt::format("--points takes a number from 1 to {}", kMostTimelinePoints);
    if (points_ != kUnset) line_.options.points = static_cast<size_t>(points_);
    if (const auto by = parse_rank(by_))
      line_.options.by = *by;
    else
      return unknown_value("--by", by_, rank_names());
    if (const std::string problem = check_table_values(); !problem.empty()) return problem;
    if (!domain_.empty()) {
      line_.options.domain = domain_;
      if (line_.command == Command::chunks) line_.options.chunks_domain = domain_;
    } else if (line_.options.group == GroupBy::domain) {
      line_.options.domain = kAllDomains;
    }
    if (const std::string given = given_filters(line_.options.filters);
        line_.command == Command::dump && (!given.empty() || !domain_.empty()))
      return fmt::format("dump shows the file as it is and takes no filters: {}", given.empty() ? "--domain" : given);
    if (std::string problem = check_filter_options(line_.options); !problem.empty()) return problem;
    if (line_.command == Command::diff)
      if (std::string problem = diff_.check(line_.options, trace_, line_.new_trace); !problem.empty()) return problem;
    if (std::string problem = leaks_.check(line_.options); !problem.empty()) return problem;
    if (std::string problem = check_rewrite(line_); !problem.empty()) return problem;
    if (line_.command == Command::check) {
      if (std::string problem = take_choice_of_check(); !problem.empty()) return problem;
      if (std::string problem = check_.check(line_.check, line_.options.json); !problem.empty()) return problem;
    }
    if (std::string problem = check_symbolize(line_); !problem.empty()) return problem;
    if (line_.options.json && line_.options.csv) return "--json and --csv exclude each other";
    if (line_.command == Command::dump && line_.options.json && !line_.dump_stats)
      return "dump prints --json only with --stats";
    return {};
  }

  // What stands before the command counts too.
  std::string take_choice_of_check() {
    FilterTexts others = line_.options.filters;
    others.tags.clear();
    if (const std::string given = given_filters(others); !given.empty())
      return fmt::format("check judges a whole recording and takes --tag and --domain alone: {}", given);
    const std::vector<std::string>& tags = line_.options.filters.tags;
    line_.check.rules.tags.insert(line_.check.rules.tags.end(), tags.begin(), tags.end());
    if (!domain_.empty()) check_.add_domain(domain_);
    return {};
  }

  // An empty value is a variable of a script that is not set, not the wish to leave the option out.
  std::string check_nothing_is_empty() const {
    for (const CLI::Option* option : chosen_app().get_options())
      for (const std::string& value : option->results())
        if (value.empty()) return fmt::format("{}: the value is empty", option->get_name());
    return {};
  }

  std::string check_table_values() {
    ReportOptions& options = line_.options;
    if (const auto group = parse_group(group_))
      options.group = *group;
    else
      return unknown_value("--group", group_, group_names());
    if (options.group != GroupBy::stack && !chosen_app().get_option_no_throw("--group"))
      return fmt::format("{} has no --group", chosen_app().get_name());
    if (line_.command == Command::threads && (options.group == GroupBy::thread || options.group == GroupBy::type))
      return "threads is by thread already, and each row by one of function, file, module, tag, allocator, domain";
    if (line_.command == Command::timeline && options.table == "groups" && options.group == GroupBy::stack)
      return "--table groups has a column a group: add --group tag, say";
    if (options.min_percent && !(*options.min_percent >= 0 && *options.min_percent <= 100))
      return "--min-percent takes a number from 0 to 100";
    const std::vector<std::string> tables = csv_tables(line_.command);
    if (!options.table.empty() && std::find(tables.begin(), tables.end(), options.table) == tables.end())
      return unknown_value("--table", options.table, fmt::format("{}", fmt::join(tables, ", ")));
    if (!options.table.empty() && !options.csv) return "--table chooses what --csv prints: add --csv";
    if (line_.command != Command::tree) return {};
    if (direction_ == "bottom-up")
      options.direction = TreeDirection::bottom_up;
    else if (direction_ != "top-down")
      return unknown_value("--direction", direction_, "top-down, bottom-up");
    if (!options.callers.empty() && chosen_app().get_option("--direction")->count() != 0 &&
        options.direction == TreeDirection::top_down)
      return "--callers goes from the function to those who call it: leave out --direction top-down";
    if (std::string problem; !options.callers.empty()) {
      if (NamePattern::parse(options.callers, problem).is_negated()) problem = "tree begins at one function: no !";
      if (!problem.empty()) return fmt::format("--callers {}: {}", options.callers, problem);
    }
    if (options.by == RankBy::peak)
      return "tree adds up what lies below, and stacks have their own peaks at different times: use --by at-peak";
    return {};
  }

  static constexpr int64_t kUnset = INT64_MIN;

  CLI::App app_;
  CommandLine line_;
  std::string trace_, by_ = "open", group_ = "stack", direction_ = "top-down", domain_;
  CheckOptions check_;
  DiffOptions diff_;
  LeaksOptions leaks_;
  int64_t top_ = kUnset, max_frames_ = kUnset, points_ = kUnset, jobs_ = kUnset;
  bool no_symbols_ = false;
};

}  // namespace

ParseResult parse_command_line(std::vector<std::string> arguments) { return Parser().parse(std::move(arguments)); }

}  // namespace memprof
