// The options of `diff` alone.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "report/report_options.h"

namespace memprof {

class DiffOptions {
 public:
  // `command` and `options` are written to when the line is parsed.
  void add_to(CLI::App& command, ReportOptions& options);
  // Empty when all is well. The traces as they are named.
  std::string check(ReportOptions& options, const std::string& old_trace, const std::string& new_trace) const;

 private:
  std::string per_;
};

}  // namespace memprof
