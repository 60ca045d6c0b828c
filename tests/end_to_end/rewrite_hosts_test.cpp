// Traces made of other traces: what memprof-analyze says of them.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "host.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

Outcome make(const std::string& command, const fs::path& trace, const fs::path& out) {
  return analyze({command, "-o", out.string(), trace.string()});
}

std::string output_of(std::vector<std::string> command, const fs::path& trace) {
  if (command.front() != "dump") command.push_back("--no-symbols");
  command.push_back(trace.string());
  const Outcome outcome = analyze(command);
  INFO(outcome.err);
  CHECK(outcome.exit_status == 0);
  CHECK((outcome.err.empty() || outcome.err == "memprof-analyze: the table is empty\n"));
  return outcome.out + outcome.err;
}

// Of the summary, all but how the file is kept.
Json summary_of(const fs::path& trace) {
  Json summary = Json::parse(output_of({"summary", "--json"}, trace));
  for (const char* key : {"bytes", "compressed"}) summary.at("trace").erase(key);
  return summary;
}

}  // namespace

TEST_CASE("every command says of a compressed trace what it says of the trace", "[hosts][rewrite]") {
  for (const std::string host : {"malloc_family", "threads_pass_blocks", "mappings", "realloc_corners"}) {
    INFO(host);
    const HostRun run({host_path(host)});
    const fs::path trace = run.directory() / "trace.bin", packed = run.directory() / "packed";
    const Outcome outcome = make("compress", trace, packed);
    INFO(outcome.err);
    REQUIRE(outcome.exit_status == 0);
    CHECK(outcome.out.find(packed.string() + ": ") == 0);
    CHECK(fs::file_size(packed) * 4 < fs::file_size(trace) * 3);
    struct stat status;
    REQUIRE(::stat(packed.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    CHECK(summary_of(packed) == summary_of(trace));
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"stacks", "--csv"},
                                               {"leaks", "--json"},
                                               {"tree", "--json"},
                                               {"sizes", "--csv"},
                                               {"lifetimes", "--csv"},
                                               {"threads", "--json"},
                                               {"timeline", "--csv"},
                                               {"chunks"},
                                               {"dump", "--events", "--nodes", "--modules"}})
      CHECK(output_of(command, packed) == output_of(command, trace));
    CHECK(output_of({"diff", "--json", trace.string()}, packed).find("\"status\":\"grown\"") == std::string::npos);

    const fs::path back = run.directory() / "back";
    CHECK(make("decompress", packed, back).exit_status == 0);
    CHECK(fs::file_size(back) == fs::file_size(trace));
    CHECK(output_of({"dump"}, back) == output_of({"dump"}, trace));
  }
}

TEST_CASE("a stripped trace has the blocks that were not temporary, and says how many were", "[hosts][rewrite]") {
  for (const std::string host : {"operator_new", "threads_realloc", "realloc_corners"}) {
    INFO(host);
    const HostRun run({host_path(host)});
    const fs::path trace = run.directory() / "trace.bin", stripped = run.directory() / "stripped";
    const Outcome outcome = make("strip", trace, stripped);
    INFO(outcome.err);
    REQUIRE(outcome.exit_status == 0);
    CHECK(outcome.out.find("without ") != std::string::npos);
    const Json before = summary_of(trace), after = summary_of(stripped);
    CHECK(after.at("temporary") == 0);
    CHECK(after.at("open") == before.at("open"));
    CHECK(after.at("stacks") <= before.at("stacks"));
    const uint64_t temporary = before.at("temporary");
    CHECK(temporary > 0);
    CHECK(after.at("allocations") == before.at("allocations").get<uint64_t>() - temporary);
    CHECK(after.at("frees") == before.at("frees").get<uint64_t>() - temporary);
    CHECK(after.at("trace").at("stripped").at("allocations") >= temporary);
    CHECK(output_of({"summary"}, stripped).find(" were stripped") != std::string::npos);
    // Twice is once.
    CHECK(make("strip", stripped, run.directory() / "again").exit_status == 0);
    CHECK(summary_of(run.directory() / "again") == after);
  }
}

TEST_CASE("an extracted window says what the trace says of that window", "[hosts][rewrite]") {
  const HostRun run({host_path("threads_pass_blocks")});
  const fs::path trace = run.directory() / "trace.bin", part = run.directory() / "part";
  const std::vector<std::string> window = {"--from", "40%", "--to", "60%"};
  const auto with_window = [&](std::vector<std::string> command) {
    command.insert(command.end(), window.begin(), window.end());
    return command;
  };
  const Outcome outcome = analyze(with_window({"extract", "-o", part.string(), trace.string()}));
  INFO(outcome.err);
  REQUIRE(outcome.exit_status == 0);
  CHECK(fs::file_size(part) * 2 < fs::file_size(trace));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"stacks", "--csv"}, {"leaks", "--csv"}, {"sizes", "--csv"}, {"lifetimes", "--csv"}, {"threads", "--csv"}})
    CHECK(output_of(command, part) == output_of(with_window(command), trace));
  const Json before = Json::parse(output_of(with_window({"summary", "--json"}), trace)), after = summary_of(part);
  for (const char* key : {"allocations", "frees", "bytes_allocated", "temporary", "open", "closed", "peak", "window"})
    CHECK(after.at(key) == before.at(key));
  // A part of it is the same part of the trace, and what lies outside is gone.
  const std::vector<std::string> half = {"stacks", "--csv", "--from", "40%", "--to", "50%"};
  CHECK(output_of(half, part) == output_of(half, trace));
}

TEST_CASE("what was stripped is no proof that nothing leaks", "[hosts][rewrite]") {
  const HostRun run({host_path("malloc_family")});
  const fs::path trace = run.directory() / "trace.bin", small = run.directory() / "small";
  const Outcome outcome = analyze({"strip", "--size", ">1G", "-o", small.string(), trace.string()});
  REQUIRE(outcome.exit_status == 0);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"leaks"},
                                                                                       {"stacks"},
                                                                                       {"tree"},
                                                                                       {"sizes"},
                                                                                       {"lifetimes"},
                                                                                       {"threads"},
                                                                                       {"timeline"},
                                                                                       {"leaks", "--growth"}}) {
    const std::string text = output_of(command, small);
    INFO(text);
    CHECK(text.find("were stripped") != std::string::npos);
    CHECK(text.find("Nothing is left") == std::string::npos);
  }
  // Of a domain that nothing is in, nothing can be left.
  for (const char* command : {"leaks", "stacks"})
    CHECK(output_of({command, "--domain", "gpu"}, trace) == "Nothing was allocated in domain gpu.\n");
}

TEST_CASE("what cannot be made of a trace is said, and nothing is written", "[hosts][rewrite]") {
  const HostRun run({host_path("malloc_family")});
  const fs::path trace = run.directory() / "trace.bin", packed = run.directory() / "packed",
                 other = run.directory() / "other";
  REQUIRE(make("compress", trace, packed).exit_status == 0);
  const std::string before = read_file(trace);

  const auto refuses = [&](const std::vector<std::string>& command, int status, const std::string& why) {
    const Outcome outcome = analyze(command);
    INFO(outcome.err);
    CHECK(outcome.exit_status == status);
    CHECK(outcome.err.find(why) != std::string::npos);
    CHECK(outcome.out.empty());
  };
  refuses({"compress", "-o", other.string(), packed.string()}, 2, "is compressed already");
  refuses({"decompress", "-o", other.string(), trace.string()}, 2, "is not compressed");
  refuses({"compress", trace.string()}, 2, "add -o OUT");
  refuses({"strip", trace.string()}, 2, "add -o OUT");
  refuses({"extract", "-o", other.string(), trace.string()}, 2, "add --from T");
  refuses({"extract", "--from", "50%", "--size", ">=10", "-o", other.string(), trace.string()}, 2,
          "strip what it writes");
  refuses({"strip", "--from", "50%", "-o", other.string(), trace.string()}, 2, "for a window there is extract");
  refuses({"compress", "-o", trace.string(), trace.string()}, 2, "is the trace itself");
  refuses({"compress", "-o", (run.directory() / "no" / "where").string(), trace.string()}, 4, "cannot be written");
  refuses({"compress", "-o", other.string(), (run.directory() / "nothing").string()}, 3, "nothing");
  CHECK_FALSE(fs::exists(other));
  CHECK(read_file(trace) == before);
}
