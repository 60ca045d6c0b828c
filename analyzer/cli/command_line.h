// From argv to what was asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/check_options.h"
#include "report/nearest_word.h"
#include "report/report_options.h"
#include "report/reports.h"

namespace memprof {

enum class Command {
  summary,
  stacks,
  leaks,
  tree,
  sizes,
  lifetimes,
  threads,
  timeline,
  chunks,
  diff,
  check,
  extract,
  strip,
  compress,
  decompress,
  symbolize,
  dump
};

inline constexpr const char* kVersionNumber = "0.1";

struct CommandLine {
  Command command = Command::summary;
  std::string trace = "trace.bin";
  bool names_trace = false;  // false: `trace` is the default
  std::string new_trace;     // of diff; `trace` is the old one
  std::string output;        // of the commands that write a trace
  CheckLine check;           // of check, whose traces are there
  ReportOptions options;
  std::optional<unsigned> jobs;  // threads; not set: as many as there are processors
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
