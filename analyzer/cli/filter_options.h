// The filters that all commands but `dump` take.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "report/report_options.h"

namespace memprof {

// `filters` is written to when the line is parsed. An option that is given several times has all its values.
// `is_taken`: false for the command that only wants to say why it does not; its help has none of them.
void add_filter_options(CLI::App& app, FilterTexts& filters, bool is_taken);

// What can be said without a trace, and what follows from the texts alone. Empty when all is well.
std::string check_filter_options(ReportOptions& options);

// Those that were given, "--from, --size".
std::string given_filters(const FilterTexts& filters);

}  // namespace memprof
