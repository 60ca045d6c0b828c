// `memprof-analyze check`: passes or fails, for a job of continuous integration.
#pragma once

#include "cli/command_line.h"
#include "report/output.h"

namespace memprof {

// Returns the exit status. Throws TraceError, NewTraceError, OutputError.
int run_check(const CommandLine& line, Output& out);

}  // namespace memprof
