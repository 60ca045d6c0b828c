// Filters as they are typed: exit 2 and one line for what makes no sense, exit 0 and a reason for what is empty.
#include <algorithm>
#include <catch2/catch.hpp>

#include "fresh_directory.h"
#include "paths.h"
#include "process.h"
#include "trace.h"
#include "trace_builder.h"

using namespace memprof::tests;
using Catch::Matchers::Contains;

namespace {

// Ten milliseconds: two threads of which one has a name, a mark, one block that stays.
std::string sample_trace(const std::string& library) {
  memprof::test::TraceBuilder b;
  const uint32_t module = b.add_module("/opt/" + library, 0x400000, 0x500000, 0x400000);
  const uint32_t stack = b.add_node(memprof::format::kRootWhole, module, 0x1000);
  b.alloc(1, 1'000'000, 0x1000, 100, stack);
  b.alloc(2, 2'000'000, 0x2000, 5000, stack);
  b.free(2, 3'000'000, 0x2000);
  b.add_metadata(memprof::format::MetadataRecord::thread_name, std::string("\2\0\0\0\0\0\0\0worker-1", 16));
  b.add_mark(4'000'000, 1, "loaded");
  b.close(10'000'000);
  const memprof::test::Bytes bytes = b.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Traces {
 public:
  Traces() {
    write_file(old_path(), sample_trace("libold.so"));
    write_file(path(), sample_trace("libx.so"));
  }
  std::string path() const { return (directory_ / "trace.bin").string(); }
  std::string old_path() const { return (directory_ / "old.bin").string(); }

  // Status 2, nothing on stdout, one line with the words.
  void check_refused(std::vector<std::string> arguments, const std::vector<std::string>& words) const {
    arguments.push_back(path());
    const Outcome outcome = analyze(arguments);
    INFO(outcome.err);
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.out.empty());
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    for (const std::string& word : words) CHECK_THAT(outcome.err, Contains(word));
  }
  Outcome done(std::vector<std::string> arguments) const {
    arguments.push_back(path());
    Outcome outcome = analyze(arguments);
    INFO(outcome.err);
    CHECK(outcome.exit_status == 0);
    return outcome;
  }

 private:
  FreshDirectory directory_;
};

const std::vector<std::string> kCommands = {"summary",   "stacks",  "leaks",    "tree",  "sizes",
                                            "lifetimes", "threads", "timeline", "chunks"};

}  // namespace

TEST_CASE("impossible windows and misspelled names end with 2, whatever the command", "[filters]") {
  const Traces traces;
  for (const std::string& command : kCommands) {
    CAPTURE(command);
    traces.check_refused({command, "--from", "10ms"}, {"--from 10ms", "10.0 ms long", "marks loaded (4.0 ms)"});
    traces.check_refused({command, "--from", "5ms", "--to", "loaded"}, {"--to loaded: 4.0 ms is not after"});
    traces.check_refused({command, "--to", "200%"}, {"more than the whole trace"});
    traces.check_refused({command, "--from", "laoded"}, {"did you mean loaded?"});
    traces.check_refused({command, "--thread", "worker-2"}, {"did you mean worker-1?"});
    traces.check_refused({command, "--tag", "mallok"}, {"did you mean malloc?"});
    traces.check_refused({command, "--module", "libz.so"}, {"did you mean libx.so?"});
    traces.check_refused({command, "--function", "nowhere"}, {"no stack of the trace has it"});
    traces.check_refused({command, "--domain", "cpi"}, {"did you mean cpu?", "it has: cpu"});
  }
}

TEST_CASE("filters that fit leave exit 0, a line of text and keys of JSON", "[filters]") {
  const Traces traces;
  const std::vector<std::string> filters = {"--from", "500us", "--to", "loaded", "--module", "libx.so"};
  for (const std::string& command : kCommands) {
    CAPTURE(command);
    std::vector<std::string> arguments = {command};
    arguments.insert(arguments.end(), filters.begin(), filters.end());
    const Outcome text = traces.done(arguments);
    if (command == "chunks") continue;
    CHECK_THAT(text.out, Contains("only: window 500.0 us to 4.0 ms; module libx.so\n"));
    arguments.push_back("--json");
    const Json document = Json::parse(traces.done(arguments).out);
    CHECK(document.at("window").at("to_ns") == 4'000'000);
    CHECK(document.at("filters").at("module").at(0) == "libx.so");
  }
}

TEST_CASE("an end that the program did not write is found", "[filters]") {
  const FreshDirectory directory;
  memprof::test::TraceBuilder b;
  b.alloc(1, 1'000'000, 0x1000, 100, b.stack(0x100));
  const memprof::test::Bytes bytes = b.build();
  const std::string path = (directory / "died.bin").string();
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const Outcome late = analyze({"leaks", "--from", "2ms", path});
  CHECK(late.exit_status == 2);
  CHECK_THAT(late.err, Contains("the trace is 1.0 ms long and has no marks"));
  CHECK(analyze({"leaks", "--from", "500us", path}).exit_status == 0);
}

TEST_CASE("diff resolves the filters in both traces", "[filters]") {
  const Traces traces;
  const auto diff = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"diff", traces.old_path(), traces.path()});
    return analyze(options);
  };
  const Outcome windowed = diff({"--from", "500us", "--to", "loaded", "--json"});
  CHECK(windowed.exit_status == 0);
  for (const char* side : {"old", "new"})
    CHECK(Json::parse(windowed.out).at(side).at("window").at("from_ns") == 500'000);
  const Outcome late = diff({"--from", "1h"});
  CHECK(late.exit_status == 2);
  CHECK_THAT(late.err, Contains("OLD: --from 1h"));
  // In one of them: that is what a diff is for. In none: misspelled.
  CHECK(diff({"--module", "libold.so"}).exit_status == 0);
  CHECK(diff({"--module", "libnone.so"}).exit_status == 2);
}

TEST_CASE("dump takes no filters and says so", "[filters]") {
  const Traces traces;
  traces.check_refused({"dump", "--size", ">=4K"}, {"takes no filters: --size"});
}

TEST_CASE("chunks of no block say so on stderr", "[filters]") {
  const Traces traces;
  const Outcome outcome = traces.done({"chunks", "--domain", "gpu"});
  CHECK(outcome.out.empty());
  CHECK_THAT(outcome.err, Contains("no block was printed"));
}

TEST_CASE("a table of commas without a line says so on stderr, and why", "[filters]") {
  const Traces traces;
  for (const char* command : {"stacks", "leaks", "sizes", "lifetimes", "threads", "tree"}) {
    INFO(command);
    const Outcome outcome = traces.done({command, "--csv", "--size", ">=1T"});
    CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1);
    CHECK(outcome.err == "memprof-analyze: the table is empty; only: size >= 1T\n");
  }
}
