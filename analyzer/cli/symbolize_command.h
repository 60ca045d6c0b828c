// `memprof-analyze symbolize -o OUT TRACE`, and the option of the symbol cache that other commands have too.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/command_line.h"
#include "model/analysis.h"
#include "report/output.h"

namespace memprof {

void add_cache_option(CLI::App& command, CommandLine& line);
void add_symbolize_options(CLI::App& command, CommandLine& line, std::string& trace);
// What is wrong with the options; empty when all is well, and for other commands.
std::string check_symbolize(const CommandLine& line);
// Returns the exit status; throws NewTraceError.
int run_symbolize(const CommandLine& line, const Trace& trace, Output& out);

}  // namespace memprof
