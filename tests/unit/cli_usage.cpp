#include <catch2/catch.hpp>

#include <unistd.h>
#include <algorithm>
#include <cstdlib>

#include "cli/command_line.h"
#include "cli/exit_status.h"
#include "cli/progress_bar.h"

using namespace memprof;
using Catch::Matchers::Contains;

namespace {

ParseResult parse(std::vector<std::string> arguments) { return parse_command_line(std::move(arguments)); }

void check_usage_error(std::vector<std::string> arguments, const std::string& hint) {
  const ParseResult result = parse(std::move(arguments));
  REQUIRE(result.is_final);
  CHECK(result.status == kUsageError);
  CHECK_THAT(result.text, Contains(hint));
  CHECK(std::count(result.text.begin(), result.text.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("a trace alone means its summary", "[cli]") {
  const ParseResult result = parse({"some/file.bin"});
  CHECK_FALSE(result.is_final);
  CHECK(result.line.command == Command::summary);
  CHECK(result.line.trace == "some/file.bin");
}

TEST_CASE("without a trace it is trace.bin", "[cli]") {
  CHECK(parse({}).line.trace == "trace.bin");
  CHECK(parse({"leaks"}).line.trace == "trace.bin");
  CHECK(parse({"leaks"}).line.command == Command::leaks);
}

TEST_CASE("--jobs is for the events and for the symbols, of every command that reads them", "[cli]") {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"summary"},
                                             {"stacks", "a.bin"},
                                             {"symbolize", "-o", "/no/such/out", "a.bin"},
                                             {"diff", "a.bin", "b.bin"}}) {
    std::vector<std::string> arguments = command;
    CHECK_FALSE(parse(arguments).line.jobs.has_value());
    CHECK(parse(arguments).line.options.symbols.workers == 0);
    arguments.insert(arguments.end(), {"--jobs", "3"});
    const ParseResult result = parse(arguments);
    REQUIRE_FALSE(result.is_final);
    CHECK(result.line.jobs == 3u);
    CHECK(result.line.options.symbols.workers == 3);
  }
  for (const char* jobs : {"0", "-1", "257"})
    check_usage_error({"stacks", "--jobs", jobs}, "--jobs takes a number from 1");
}

TEST_CASE("options stand before or after the command and the trace", "[cli]") {
  const std::vector<std::vector<std::string>> orders = {{"stacks", "--json", "--top", "3", "a.bin"},
                                                        {"stacks", "a.bin", "--top=3", "--json"},
                                                        {"--json", "stacks", "a.bin", "--top", "3"},
                                                        {"--top", "3", "--json", "stacks", "a.bin"}};
  for (const auto& arguments : orders) {
    const ParseResult result = parse(arguments);
    REQUIRE_FALSE(result.is_final);
    CHECK(result.line.command == Command::stacks);
    CHECK(result.line.trace == "a.bin");
    CHECK(result.line.options.json);
    CHECK(result.line.options.top == std::optional<size_t>(3));
  }
  CHECK(parse({"--json", "a.bin"}).line.options.json);
  CHECK(parse({"stacks", "--by", "at-peak"}).line.options.by == RankBy::at_peak);
}

TEST_CASE("usage errors end with 2, in one line with a hint", "[cli]") {
  check_usage_error({"sumary", "a.bin"}, "unknown command sumary, did you mean summary?");
  check_usage_error({"sumary"}, "did you mean summary?");
  check_usage_error({"help", "a.bin"},
                    "commands: summary, stacks, leaks, tree, sizes, lifetimes, threads, timeline, chunks, diff, check, "
                    "extract, strip, compress, decompress, symbolize, dump");
  check_usage_error({"compress", "--from", "10%", "-o", "b.bin", "a.bin"},
                    "compress keeps all blocks and takes no filters: --from");
  check_usage_error({"tre", "a.bin"}, "did you mean tree?");
  check_usage_error({"tree", "--direction", "bottum-up"}, "did you mean bottom-up?");
  check_usage_error({"tree", "--by", "peak"}, "use --by at-peak");
  check_usage_error({"tree", "--min-percent", "200"}, "from 0 to 100");
  check_usage_error({"stacks", "--group", "modul"}, "did you mean module?");
  check_usage_error({"stacks", "--json", "--csv"}, "exclude each other");
  check_usage_error({"sizes", "--csv", "--table", "exakt"}, "did you mean exact?");
  check_usage_error({"sizes", "--table", "exact"}, "add --csv");
  check_usage_error({"threads", "--group", "thread"}, "function, file, module, tag, allocator, domain");
  check_usage_error({"timeline", "--csv", "--table", "groups"}, "add --group");
  check_usage_error({"--group", "tag", "dump"}, "dump has no --group");
  check_usage_error({"--from", "1s", "check", "a.bin"}, "--tag and --domain alone: --from");
  check_usage_error({"diff"}, "diff OLD NEW");
  check_usage_error({"diff", "a.bin"}, "found only a.bin");
  check_usage_error({"diff", "a.bin", "b.bin", "c.bin"}, "two traces, found a.bin, b.bin and c.bin");
  check_usage_error({"diff", "a.bin", "b.bin", "--per", "secnd"}, "did you mean second?");
  check_usage_error({"diff", "a.bin", "b.bin", "--by", "allocations", "--min-bytes", "1"}, "--min-percent");
  check_usage_error({"diff", "a.bin", "b.bin", "--json", "--csv"}, "exclude each other");
  check_usage_error({"leaks", "--older", "5"}, "no duration");
  check_usage_error({"leaks", "--older", "5s", "--growth"}, "one at a time");
  check_usage_error({"report"}, "unknown command report");
  check_usage_error({"stacks", "--tpo", "3"}, "did you mean --top?");
  check_usage_error({"stacks", "--by", "size"}, "one of: open, peak, at-peak");
  check_usage_error({"chunks", "--state", "dead"}, "one of: open, closed, orphaned");
  check_usage_error({"stacks", "--top", "many"}, "--top");
  check_usage_error({"stacks", "--top", "-3"}, "number");
  check_usage_error({"stacks", "--top"}, "--top");
  check_usage_error({"leaks", "a.bin", "b.bin"}, "one trace at a time");
  check_usage_error({"dump", "--json"}, "--stats");
  check_usage_error({"--no\x1bsuch"}, "\\x1b");
}

TEST_CASE("diff takes two traces, and --between two times before the trace", "[cli]") {
  const ParseResult diff = parse({"diff", "a.bin", "b.bin", "--per", "second"});
  REQUIRE_FALSE(diff.is_final);
  CHECK(diff.line.trace == "a.bin");
  CHECK(diff.line.new_trace == "b.bin");
  CHECK(diff.line.options.per == DiffPer::second);
  const ParseResult leaks = parse({"leaks", "--between", "1s", "loaded", "a.bin"});
  REQUIRE_FALSE(leaks.is_final);
  CHECK(leaks.line.trace == "a.bin");
  CHECK(leaks.line.options.between == std::optional(std::pair<std::string, std::string>("1s", "loaded")));
}

TEST_CASE("every command but dump takes the filters, before its name too", "[cli]") {
  const std::vector<std::string> filters = {
      "--from",     "1s",    "--to",        "loaded",        "--alive-at", "40%",      "--size",   ">=4K",
      "--lifetime", "<5ms",  "--state",     "open",          "--thread",   "2",        "--thread", "wor*",
      "--tag",      "new",   "--function",  "ns::*",         "--function", "!f",       "--module", "libx*",
      "--file",     "a.cpp", "--temporary", "--hide-frames", "std::*",     "--domain", "mmap"};
  for (const char* command :
       {"summary", "stacks", "leaks", "tree", "sizes", "lifetimes", "threads", "timeline", "chunks", "diff"}) {
    CAPTURE(command);
    for (const bool is_before : {false, true}) {
      std::vector<std::string> arguments = {command, "a.bin"};
      if (std::string(command) == "diff") arguments.push_back("b.bin");
      arguments.insert(is_before ? arguments.begin() : arguments.end(), filters.begin(), filters.end());
      const ParseResult result = parse(arguments);
      INFO(result.text);
      REQUIRE_FALSE(result.is_final);
      CHECK(result.line.trace == "a.bin");
      const ReportOptions& options = result.line.options;
      const FilterTexts& texts = options.filters;
      CHECK(texts.from == "1s");
      CHECK(texts.to == "loaded");
      CHECK(texts.alive_at == "40%");
      CHECK(texts.size == ">=4K");
      CHECK(texts.lifetime == "<5ms");
      CHECK(texts.state == "open");
      CHECK(texts.temporary == "yes");
      CHECK(texts.threads == std::vector<std::string>{"2", "wor*"});
      CHECK(texts.tags == std::vector<std::string>{"new"});
      CHECK(texts.functions == std::vector<std::string>{"ns::*", "!f"});
      CHECK(texts.modules == std::vector<std::string>{"libx*"});
      CHECK(texts.files == std::vector<std::string>{"a.cpp"});
      CHECK(texts.hide_frames == std::vector<std::string>{"std::*"});
      CHECK_FALSE(options.hidden_frames.is_empty());
      CHECK(options.domain == "mmap");
    }
  }
  CHECK(parse({"--function", "a", "stacks", "--function", "b"}).line.options.filters.functions ==
        std::vector<std::string>{"a", "b"});
  CHECK(parse({"stacks", "--temporary=no", "a.bin"}).line.options.filters.temporary == "no");
  CHECK(parse({"stacks", "--temporary", "a.bin"}).line.trace == "a.bin");
  CHECK(parse({"--domain", "cpu", "stacks", "--domain", "gpu"}).line.options.domain == "cpu,gpu");
  CHECK(parse({"stacks", "--group", "domain"}).line.options.domain == "all");
  CHECK(parse({"stacks", "--group", "domain", "--domain", "mmap"}).line.options.domain == "mmap");
  CHECK(parse({"stacks", "--group", "tag"}).line.options.domain == "cpu");
  for (const char* command :
       {"summary", "stacks", "leaks", "tree", "sizes", "lifetimes", "threads", "timeline", "chunks", "diff"}) {
    std::vector<std::string> arguments = {command, "--group", "allocator", "a.bin"};
    if (std::string(command) == "diff") arguments.push_back("b.bin");
    CHECK(parse(arguments).line.options.group == GroupBy::allocator);
    CHECK_THAT(parse({command, "--help"}).text, Contains("tag, allocator, domain, type"));
  }
  CHECK_FALSE(parse({"chunks"}).line.options.chunks_domain);
  CHECK(parse({"chunks", "--domain", "cpu"}).line.options.chunks_domain == "cpu");
  check_usage_error({"dump", "--from", "1s", "--size", "5"},
                    "dump shows the file as it is and takes no filters: --from, --size");
  check_usage_error({"--function", "f", "dump"}, "takes no filters: --function");
  check_usage_error({"dump", "--domain", "cpu"}, "takes no filters: --domain");
  CHECK_THAT(parse({"dump", "--help"}).text, !Contains("--function"));
  CHECK_THAT(parse({"stacks", "--help"}).text, Contains("--function") && Contains("--hide-frames"));
}

TEST_CASE("filters that are none are refused before a trace is read", "[cli]") {
  check_usage_error({"--size", "4k"}, "--size: 4k is none of >=4096");
  check_usage_error({"stacks", "--function", "/(/"}, "--function /(/: missing )");
  check_usage_error({"stacks", "--hide-frames", "module:"}, "--hide-frames : the pattern is empty");
  check_usage_error({"stacks", "--state", "opne"}, "did you mean open?");
  check_usage_error({"stacks", "--temporary=perhaps"}, "neither yes nor no");
  check_usage_error({"tree", "--callers", "/(/"}, "--callers /(/: missing )");
  check_usage_error({"leaks", "--between", "1s", "2s", "--from", "1s"}, "leave out --from and --to");
  check_usage_error({"stacks", "--fucntion", "f"}, "did you mean --function?");
}

TEST_CASE("help and version end with 0", "[cli]") {
  for (const char* option : {"--help", "-h", "--version"}) {
    const ParseResult result = parse({option});
    CHECK(result.is_final);
    CHECK(result.status == kDone);
    CHECK_FALSE(result.text.empty());
  }
  CHECK_THAT(parse({"stacks", "--help"}).text, Contains("--by"));
  CHECK_THAT(parse({"--help"}).text, Contains("leaks") && Contains("dump"));
}

TEST_CASE("a file that is named like nothing else is taken for a trace", "[cli]") {
  char path[] = "/tmp/memprof-cli-XXXXXX";
  const int descriptor = ::mkstemp(path);
  REQUIRE(descriptor >= 0);
  CHECK(parse({path}).line.trace == path);
  ::close(descriptor);
  ::unlink(path);
  // Neither a command, nor like one, nor a file: the missing file is the error, not the usage.
  CHECK_FALSE(parse({"elsewhere.trace"}).is_final);
}

TEST_CASE("timeline takes a number of intervals that can be drawn", "[cli]") {
  check_usage_error({"timeline", "--points", "0"}, "--points takes a number from 1 to 100000");
  check_usage_error({"timeline", "--points", "100001"}, "--points takes a number from 1 to 100000");
  check_usage_error({"timeline", "--json", "--csv"}, "exclude each other");
  check_usage_error({"timeline", "--point", "3"}, "did you mean --points?");
  const ParseResult result = parse_command_line({"timeline", "--points", "7", "--csv", "a.bin"});
  REQUIRE_FALSE(result.is_final);
  CHECK(result.line.command == Command::timeline);
  CHECK(result.line.options.points == 7u);
  CHECK(result.line.options.csv);
}

TEST_CASE("progress is a share, a rate and the time that is left", "[cli]") {
  CHECK(progress_line(4'000, 10'000, 2) == "[############                  ]  40 %, 2000 pages/s, 3 s left");
  CHECK(progress_line(10'000, 10'000, 4) == "[##############################] 100 %, 2500 pages/s, 0 s left");
  CHECK(progress_line(1, 10'000, 1) == "[                              ]   0 %");
}

TEST_CASE("an empty value is no option left out", "[cli]") {
  for (const char* option : {"--from", "--to", "--size", "--lifetime", "--state", "--alive-at", "--domain"})
    check_usage_error({"stacks", option, ""}, std::string(option) + ": the value is empty");
  check_usage_error({"--from", "", "a.bin"}, "--from: the value is empty");
  check_usage_error({"leaks", "--older", ""}, "--older: the value is empty");
  check_usage_error({"leaks", "--between", "", ""}, "--between: the value is empty");
  check_usage_error({"tree", "--callers", ""}, "--callers: the value is empty");
  check_usage_error({"stacks", ""}, "trace: the value is empty");
}

TEST_CASE("callers go one way", "[cli]") {
  check_usage_error({"tree", "--callers", "f", "--direction", "top-down"}, "leave out --direction top-down");
  CHECK_FALSE(parse({"tree", "--callers", "f", "--direction", "bottom-up"}).is_final);
}
