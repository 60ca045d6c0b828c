// From argv to what was asked for.
#pragma once

#include <string>
#include <vector>

#include "report/nearest_word.h"
#include "report/report_options.h"
#include "report/reports.h"

namespace memprof {

enum class Command { summary, stacks, leaks, tree, sizes, lifetimes, threads, timeline, chunks, diff, dump };

struct CommandLine {
  Command command = Command::summary;
  std::string trace = "trace.bin";
  bool names_trace = false;  // false: `trace` is the default
  std::string new_trace;     // of diff; `trace` is the old one
  ReportOptions options;
  DumpSections sections;
  bool dump_stats = false;
};

struct ParseResult {
  // When set, there is nothing to run: `text` goes to stdout for status 0 (help, version), else to stderr.
  bool is_final = false;
  int status = 0;
  std::string text;
  CommandLine line;
};

// `arguments` without the program's name.
ParseResult parse_command_line(std::vector<std::string> arguments);

}  // namespace memprof
