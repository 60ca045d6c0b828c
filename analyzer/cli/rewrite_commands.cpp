#include "cli/rewrite_commands.h"

#include <fmt/format.h>

#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/progress_bar.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "rewrite/compress.h"
#include "trace/new_file.h"

namespace memprof {

namespace {

const char* name_of(Command command) { return command == Command::compress ? "compress" : "decompress"; }

}  // namespace

bool is_rewrite(Command command) { return command == Command::compress || command == Command::decompress; }

void add_rewrite_options(CLI::App& app, CommandLine& line, std::string& trace) {
  app.add_option("trace", trace, "The trace file")->type_name("TRACE");
  app.add_option("-o,--output", line.output, "The new trace; what is there is replaced")->type_name("OUT");
}

std::string check_rewrite(const CommandLine& line) {
  if (!is_rewrite(line.command)) return {};
  if (line.output.empty()) return fmt::format("{} writes a new trace: add -o OUT", name_of(line.command));
  if (NewFile::is_same_file(line.output, line.trace))
    return fmt::format("{} is the trace itself: name another file", line.output);
  return {};
}

int run_rewrite(const CommandLine& line, const TraceFile& file, Output& out) {
  const bool is_compress = line.command == Command::compress;
  if (file.is_compressed() == is_compress) {
    say_on_stderr(fmt::format("memprof-analyze: {} is {}\n", escape_text(file.name()),
                              is_compress ? "compressed already" : "not compressed"));
    return kUsageError;
  }
  {
    ProgressBar progress;
    is_compress ? compress_trace(file, line.output, &progress) : decompress_trace(file, line.output, &progress);
  }
  const TraceFile made = TraceFile::open(line.output);
  const uint64_t before = file.size_bytes(), after = made.size_bytes();
  out.print("{}: {}, was {} ({})\n", escape_text(line.output), format_bytes(after), format_bytes(before),
            format_share(static_cast<double>(after), static_cast<double>(before)));
  return kDone;
}

}  // namespace memprof
