#include <catch2/catch.hpp>

#include <unistd.h>
#include <algorithm>
#include <cstdlib>

#include "cli/command_line.h"
#include "cli/exit_status.h"

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
  CHECK(parse({"chunks", "--state", "orphaned"}).line.options.state == ChunkState::orphaned);
}

TEST_CASE("usage errors end with 2, in one line with a hint", "[cli]") {
  check_usage_error({"sumary", "a.bin"}, "unknown command sumary, did you mean summary?");
  check_usage_error({"sumary"}, "did you mean summary?");
  check_usage_error({"help", "a.bin"},
                    "commands: summary, stacks, leaks, tree, sizes, lifetimes, threads, timeline, chunks, diff, dump");
  check_usage_error({"tre", "a.bin"}, "did you mean tree?");
  check_usage_error({"tree", "--direction", "bottum-up"}, "did you mean bottom-up?");
  check_usage_error({"tree", "--by", "peak"}, "use --by at-peak");
  check_usage_error({"tree", "--min-percent", "200"}, "from 0 to 100");
  check_usage_error({"stacks", "--group", "modul"}, "did you mean module?");
  check_usage_error({"stacks", "--json", "--csv"}, "exclude each other");
  check_usage_error({"sizes", "--csv", "--table", "exakt"}, "did you mean exact?");
  check_usage_error({"sizes", "--table", "exact"}, "add --csv");
  check_usage_error({"threads", "--group", "tag"}, "unknown option --group");
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
