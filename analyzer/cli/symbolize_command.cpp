#include "cli/symbolize_command.h"

#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"
#include "report/symbolized_trace.h"
#include "trace/new_trace_file.h"

namespace memprof {

void add_cache_option(CLI::App& command, CommandLine& line) {
  line.options.symbols.cache = true;
  command.add_flag_callback(
      "--no-cache", [&line] { line.options.symbols.cache = false; },
      "Neither read nor write the cache (symbols, checkpoints)");
}

void add_symbolize_options(CLI::App& command, CommandLine& line, std::string& trace) {
  command.add_option("trace", trace, "The trace file")->type_name("TRACE");
  command.add_option("-o,--output", line.output, "The new trace; what is there is replaced")->type_name("OUT");
  add_cache_option(command, line);
}

std::string check_symbolize(const CommandLine& line) {
  if (line.command != Command::symbolize) return {};
  if (line.output.empty()) return "symbolize writes a new trace: add -o OUT";
  if (NewTraceFile::is_same_file(line.output, line.trace))
    return fmt::format("{} is the trace itself: name another file", line.output);
  return {};
}

int run_symbolize(const CommandLine& line, const Trace& trace, Output& out) {
  const SymbolizedTrace made = write_symbolized_trace(trace, line.output, line.options.symbols);
  out.print("{}: {} of {} added\n", escape_text(line.output), count_of(made.addresses, "address", "addresses"),
            count_of(made.modules, "module", "modules"));
  for (const std::string& problem : made.problems)
    out.print("symbols missing: {}\n", cut_text(problem, kTextColumns - 17));
  return kDone;
}

}  // namespace memprof
