// Runs one parsed command.
#pragma once

#include "cli/command_line.h"

namespace memprof {

// Writes the report to `descriptor` and diagnostics to stderr. Returns the exit status; throws TraceError, OutputError.
int run_command(const CommandLine& line, int descriptor);

}  // namespace memprof
