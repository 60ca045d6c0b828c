// Writes a trace of a program that never ran: as large as one likes, from a seed. See kUsage.
#include <getopt.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "synthetic/program.h"

namespace {

using memprof::format::MetadataRecord;
using memprof::synthetic::Heap;
using memprof::synthetic::Program;
using memprof::synthetic::Shape;
using memprof::synthetic::Totals;
using memprof::synthetic::TracePages;

constexpr const char* kUsage =
    R"(Usage: synthetic_trace [--events N] [--live N] [--threads N] [--stacks N] [--seed N] -o FILE

Writes a trace of N events (default 1,000,000,000) in which N blocks are live (1,000,000), of N threads (4) and N stacks
(100,000); about 4 bytes an event. Prints what memprof-analyze must find in it, with the keys of `summary --json`.
Exit status: 0 done, 1 the file cannot be written, 2 bad options.
)";

struct Option {
  const char* name;
  uint64_t Shape::*member;
  uint64_t least, most;
};
constexpr Option kOptions[] = {
    {"events", &Shape::events, 1, 1'000'000'000'000},
    {"live", &Shape::live, 1, 1'000'000'000},
    {"threads", &Shape::threads, 1, 64},
    {"stacks", &Shape::stacks, 1, 10'000'000},
    {"seed", &Shape::seed, 0, UINT64_MAX},
};

bool read_number(const Option& option, const char* text, Shape& shape) {
  char* end = nullptr;
  errno = 0;
  const uint64_t value = std::strtoull(text, &end, 10);
  const bool is_good = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
  if (!is_good || value < option.least || value > option.most) {
    std::fprintf(stderr, "synthetic_trace: --%s needs a number from %" PRIu64 " to %" PRIu64 "\n", option.name,
                 option.least, option.most);
    return false;
  }
  shape.*option.member = value;
  return true;
}

// Zero to go on; else the exit status and 1 more.
int read_options(int count, char** words, Shape& shape, std::string& path) {
  std::vector<option> known;
  for (const Option& option : kOptions) known.push_back({option.name, required_argument, nullptr, 0});
  known.push_back({"help", no_argument, nullptr, 'h'});
  known.push_back({});
  int index = 0;
  for (int found;
       (found = getopt_long(count, words, "ho:", known.data(), &index)) != -1;) {  // NOLINT(concurrency-mt-unsafe)
    if (found == 'h') return std::fputs(kUsage, stdout), 1;
    if (found == '?') return 3;
    if (found == 'o')
      path = optarg;
    else if (!read_number(kOptions[index], optarg, shape))
      return 3;
  }
  if (path.empty() || optind != count) return std::fputs(kUsage, stderr), 3;
  return 0;
}

void print_totals(const Program& program, uint64_t file_bytes) {
  const Totals& totals = program.totals();
  std::printf("{\"trace\":{\"threads\":%" PRIu64 ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
              ",\"complete\":true,\"dropped_events\":0,\"damaged_pages\":0},\n",
              program.threads_used(), totals.events, file_bytes);
  std::printf(" \"allocations\":%" PRIu64 ",\"frees\":%" PRIu64 ",\"bytes_allocated\":%" PRIu64
              ",\"temporary\":%" PRIu64 ",\"stacks\":%zu,\"truncated_stacks\":0,\n",
              totals.allocations, totals.frees, totals.bytes_allocated, totals.temporary, program.stacks_used());
  std::printf(" \"open\":{\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64 "},\"closed\":{\"chunks\":%" PRIu64
              ",\"bytes\":%" PRIu64 "},\"orphaned\":{\"chunks\":0},\n",
              totals.open_chunks, totals.open_bytes, totals.frees, totals.bytes_allocated - totals.open_bytes);
  std::printf(" \"peak\":{\"bytes\":%" PRIu64 ",\"chunks\":%" PRIu64
              "},\"mismatched_frees\":0,\"double_allocations\":0}\n",
              totals.peak_bytes, totals.peak_chunks);
}

void write_trace(const Shape& shape, const std::string& path) {
  TracePages trace(path, shape.threads, Heap::kSizeBias);
  Program program(shape, trace);
  std::string command("synthetic_trace");
  command.push_back('\0');
  for (const Option& option : kOptions)
    command.append("--").append(option.name).append("=").append(std::to_string(shape.*option.member)).push_back('\0');
  trace.add_metadata(MetadataRecord::command, command);
  trace.add_metadata(MetadataRecord::executable, "/synthetic/program");
  program.run();
  trace.close(program.ticks() + TracePages::kTicksPerNs * 1000);
  print_totals(program, trace.file_bytes());
}

}  // namespace

int main(int count, char** words) {
  Shape shape;
  std::string path;
  if (const int done = read_options(count, words, shape, path)) return done - 1;
  try {
    write_trace(shape, path);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "synthetic_trace: %s\n", error.what());
    return 1;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
