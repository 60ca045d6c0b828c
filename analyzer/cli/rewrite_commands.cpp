#include "cli/rewrite_commands.h"

#include <fmt/format.h>

#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/filter_options.h"
#include "cli/progress_bar.h"
#include "model/kept_events.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "rewrite/compress.h"
#include "rewrite/kept_trace.h"
#include "trace/new_file.h"

namespace memprof {

namespace {

const char* name_of(Command command) {
  switch (command) {
    case Command::extract: return "extract";
    case Command::strip: return "strip";
    case Command::compress: return "compress";
    default: return "decompress";
  }
}

void print_sizes(const std::string& path, const TraceFile& file, Output& out) {
  const uint64_t before = file.size_bytes(), after = TraceFile::open(path).size_bytes();
  out.print("{}: {}, was {} ({})", escape_text(path), format_bytes(after), format_bytes(before),
            format_share(static_cast<double>(after), static_cast<double>(before)));
}

int run_packing(const CommandLine& line, const TraceFile& file, Output& out) {
  const bool is_compress = line.command == Command::compress;
  if (file.is_compressed() == is_compress)
    return refuse(fmt::format("{} is {}", file.name(), is_compress ? "compressed already" : "not compressed"));
  {
    ProgressBar progress;
    is_compress ? compress_trace(file, line.output, &progress) : decompress_trace(file, line.output, &progress);
  }
  print_sizes(line.output, file, out);
  out.print("\n");
  return kDone;
}

KeptTrace write_chosen(const Trace& trace, const std::string& path, std::optional<format::Window> window) {
  const KeptEvents kept = [&] {
    ProgressBar progress;
    return kept_events(trace, &progress);
  }();
  ProgressBar progress;
  return write_kept_trace(
      trace, [&](uint64_t number) { return kept[number]; }, window, path, &progress);
}

int run_extract(const CommandLine& line, const Trace& trace, Output& out) {
  const Selection& selection = trace.selection;
  if (!line.options.filters.has_window())
    return refuse("extract writes a window of time: add --from T, --to T or both");
  if (selection.asks_for_allocation() || selection.asks_for_fate())
    return refuse("extract keeps all blocks of its window: to leave some out, strip what it writes");
  const KeptTrace made = write_chosen(trace, line.output, format::Window{selection.from_ns, selection.to_ns});
  print_sizes(line.output, trace.file, out);
  out.print(", {}\n", count_of(made.events, "event", "events"));
  return kDone;
}

int run_strip(const CommandLine& line, Trace& trace, Output& out) {
  Selection& selection = trace.selection;
  if (selection.has_window() && !trace.metadata.window)
    return refuse("strip leaves out blocks of all times: for a window there is extract");
  if (!line.options.filters.choose()) selection.temporary = false;
  const KeptTrace made = write_chosen(trace, line.output, std::nullopt);
  print_sizes(line.output, trace.file, out);
  out.print(", without {} of {} and {}\n", count_of(made.left_out.allocations, "allocation", "allocations"),
            format_bytes(made.left_out.bytes), count_of(made.left_out.frees, "free", "frees"));
  return kDone;
}

// Of the commands that write a trace, those that write a choice of the blocks.
bool is_selective(Command command) { return command == Command::extract || command == Command::strip; }

}  // namespace

bool is_rewrite(Command command) {
  return command == Command::extract || command == Command::strip || command == Command::compress ||
         command == Command::decompress;
}

void add_rewrite_options(CLI::App& app, Command command, CommandLine& line, std::string& trace) {
  app.add_option("trace", trace, "The trace file")->type_name("TRACE");
  app.add_option("-o,--output", line.output, "The new trace; what is there is replaced")->type_name("OUT");
  // Those that a command refuses are parsed too, for it to say why; they are in no help.
  add_filter_options(app, line.options.filters, command == Command::strip);
  for (const char* const name : {"--from", "--to"})
    app.get_option(name)->group(command == Command::extract ? "Window" : "");
}

std::string check_rewrite(const CommandLine& line) {
  if (!is_rewrite(line.command)) return {};
  if (const std::string given = given_filters(line.options.filters); !is_selective(line.command) && !given.empty())
    return fmt::format("{} keeps all blocks and takes no filters: {}", name_of(line.command), given);
  if (line.output.empty()) return fmt::format("{} writes a new trace: add -o OUT", name_of(line.command));
  if (NewFile::is_same_file(line.output, line.trace))
    return fmt::format("{} is the trace itself: name another file", line.output);
  return {};
}

int run_rewrite(const CommandLine& line, Trace& trace, Output& out) {
  switch (line.command) {
    case Command::extract: return run_extract(line, trace, out);
    case Command::strip: return run_strip(line, trace, out);
    default: return run_packing(line, trace.file, out);
  }
}

}  // namespace memprof
