// The commands that write a trace of another one: `memprof-analyze extract|strip|compress|decompress -o OUT TRACE`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/command_line.h"
#include "model/analysis.h"
#include "report/output.h"

namespace memprof {

bool is_rewrite(Command command);
void add_rewrite_options(CLI::App& app, Command command, CommandLine& line, std::string& trace);
// What is wrong with the options; empty when all is well, and for other commands.
std::string check_rewrite(const CommandLine& line);
// What is extracted, or stays, is what the trace's selection chooses. Returns the exit status; throws NewTraceError.
// Says on `out` what was written.
int run_rewrite(const CommandLine& line, Trace& trace, Output& out);

}  // namespace memprof
