// The options of `leaks` alone.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "report/report_options.h"

namespace memprof {

class LeaksOptions {
 public:
  // `command` and `options` are written to when the line is parsed.
  void add_to(CLI::App& command, ReportOptions& options);
  // Empty when all is well.
  std::string check(ReportOptions& options) const;

 private:
  std::string older_;
  std::pair<std::string, std::string> between_;
};

}  // namespace memprof
