// The options of `check`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gate/rules.h"

namespace memprof {

// What is asked of the gate. Of the files only the names are known yet.
struct CheckLine {
  std::vector<std::string> traces;
  Rules rules;  // without budgets
  std::vector<std::string> ignored_modules, allowed_unrecorded;
  std::vector<std::string> budget_files, suppression_files;
  std::string baseline, write_baseline, write_suppressions;
  // Outputs besides the text or --json; empty: not wanted.
  std::string junit, sarif, memcheck_xml, markdown;
  bool github = false;
  uint32_t started_pid = 0;  // 0: none is named
  std::string started_program;
  bool options_only = false;
  std::string source_root = ".";
};

class CheckOptions {
 public:
  // `line` is written to when the line is parsed, and by check().
  void add_to(CLI::App& command, CheckLine& line);
  // One more, as --domain names it.
  void add_domain(std::string name) { domains_.push_back(std::move(name)); }
  // What is wrong with the values; empty when all is well. `json`: the document goes to standard output.
  std::string check(CheckLine& line, bool json) const;

 private:
  std::string take_kinds(CheckLine& line) const;
  std::string take_started(CheckLine& line) const;

  std::string take_domains(CheckLine& line) const;

  std::vector<std::string> fail_on_, domains_;
  std::string leaked_bytes_, leaked_blocks_, site_bytes_, site_blocks_, peak_, allocations_, temporary_, started_;
};

}  // namespace memprof
