// symbolize: the new trace reads the same on a machine without the binaries.
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <regex>

#include "host.h"
#include "paths.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

// A copy of the host, which can be moved away.
class MovableHost {
 public:
  MovableHost() {
    fs::copy_file(host_path("places_o0"), program());
    Command command;
    command.arguments = {program().string()};
    command.environment = recording_environment({"MEMPROF_OUTPUT=" + trace()});
    command.directory = directory_.path();
    REQUIRE(run(command).exit_status == 0);
  }
  fs::path program() const { return directory_ / "places"; }
  std::string trace() const { return directory_ / "trace.bin"; }
  std::string at(const std::string& name) const { return directory_ / name; }

 private:
  FreshDirectory directory_;
};

// What each command prints, without name and size of the file. Debuginfod and the cache are out of reach.
std::string printed(const std::string& trace) {
  const std::vector<std::vector<std::string>> commands = {
      {"summary"}, {"summary", "--json"}, {"stacks"},    {"stacks", "--group", "file", "--csv"},
      {"tree"},    {"leaks", "--json"},   {"chunks"},    {"sizes"},
      {"threads"}, {"timeline", "--csv"}, {"lifetimes"}, {"stacks", "--group", "type"},
  };
  std::string all;
  for (std::vector<std::string> command : commands) {
    command.push_back(trace);
    const Outcome outcome = analyze(command);
    INFO(outcome.err);
    REQUIRE(outcome.exit_status == 0);
    all += outcome.out;
  }
  all += analyze({"diff", trace, trace}).out;
  for (size_t at; (at = all.find(trace)) != std::string::npos;) all.replace(at, trace.size(), "TRACE");
  all = std::regex_replace(all, std::regex("( events, )[0-9.]+ [KM]iB\n"), "$1SIZE\n");
  return std::regex_replace(all, std::regex("(\"bytes\": )" + std::to_string(fs::file_size(trace)) + "\\b"), "$1SIZE");
}

Outcome symbolize(const std::string& out, const std::string& trace) { return analyze({"symbolize", "-o", out, trace}); }

}  // namespace

TEST_CASE("with the program moved away, the symbolized trace is printed as the original was", "[symbolize]") {
  const MovableHost host;
  const std::string expected = printed(host.trace());
  CHECK(expected.find("places.cpp") != std::string::npos);
  const Outcome made = symbolize(host.at("symbolized.bin"), host.trace());
  INFO(made.err);
  REQUIRE(made.exit_status == 0);
  CHECK(made.out.find("symbolized.bin: ") == made.out.rfind('/') + 1);
  struct stat status;
  REQUIRE(::stat(host.at("symbolized.bin").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);

  fs::rename(host.program(), host.at("moved"));
  CHECK(printed(host.trace()) != expected);
  CHECK(printed(host.at("symbolized.bin")) == expected);
}

TEST_CASE("symbols stay when a trace is packed or cut out, and a packed one can get them", "[symbolize]") {
  const MovableHost host;
  const auto stacks_of = [&](const std::string& name) {
    const Outcome outcome = analyze({"stacks", "--json", host.at(name)});
    INFO(outcome.err);
    REQUIRE(outcome.exit_status == 0);
    return outcome.out;
  };
  const auto make = [&](const std::vector<std::string>& command, const std::string& from, const std::string& to) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"-o", host.at(to), host.at(from)});
    const Outcome outcome = analyze(arguments);
    INFO(outcome.err);
    REQUIRE(outcome.exit_status == 0);
  };
  const std::string expected = stacks_of("trace.bin");
  make({"compress"}, "trace.bin", "packed.bin");
  make({"symbolize"}, "packed.bin", "packed_symbolized.bin");
  make({"symbolize"}, "trace.bin", "symbolized.bin");
  make({"compress"}, "symbolized.bin", "symbolized_packed.bin");
  make({"extract", "--to", "99%"}, "symbolized.bin", "extracted.bin");
  fs::remove(host.program());
  CHECK(stacks_of("packed.bin") != expected);
  CHECK(stacks_of("packed_symbolized.bin") == expected);
  CHECK(stacks_of("symbolized_packed.bin") == expected);
  CHECK(stacks_of("extracted.bin").find("places.cpp") != std::string::npos);
}

TEST_CASE("symbolize refuses the trace itself, links and what is no file", "[symbolize]") {
  const MovableHost host;
  const std::string before = read_file(host.trace());
  fs::create_hard_link(host.trace(), host.at("same.bin"));
  for (const std::string& same : {host.trace(), host.at("same.bin")}) {
    const Outcome outcome = symbolize(same, host.trace());
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.err.find("is the trace itself") != std::string::npos);
  }
  CHECK(analyze({"symbolize", host.trace()}).exit_status == 2);
  fs::create_symlink(host.at("nowhere.bin"), host.at("link.bin"));
  CHECK(symbolize(host.at("link.bin"), host.trace()).exit_status == 4);
  CHECK_FALSE(fs::exists(host.at("nowhere.bin")));
  CHECK(symbolize(host.at("no/such/out.bin"), host.trace()).exit_status == 4);
  CHECK(symbolize("/dev/full", host.trace()).exit_status == 4);
  CHECK(symbolize(host.at("out.bin"), host.at("no_trace.bin")).exit_status == 3);
  CHECK(read_file(host.trace()) == before);
}

TEST_CASE("where there is no room, symbolize says so and leaves nothing", "[symbolize]") {
  const MovableHost host;
  const auto files_before = std::distance(fs::directory_iterator(fs::path(host.trace()).parent_path()), {});
  Command command;
  command.arguments = {paths::kAnalyzer, "symbolize", "-o", host.at("out.bin"), host.trace()};
  command.environment = plain_environment();
  command.directory = "/";
  command.before_exec = [] {
    const rlimit limit{20'000, 20'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  };
  const Outcome outcome = run(command);
  CHECK(outcome.exit_status == 4);
  CHECK(outcome.err.find("out.bin: cannot be written: File too large") != std::string::npos);
  CHECK(std::distance(fs::directory_iterator(fs::path(host.trace()).parent_path()), {}) == files_before);
}

TEST_CASE("a second question is answered from the cache, unless that is not wanted", "[symbolize]") {
  const MovableHost host;
  const auto ask = [&](const std::vector<std::string>& options) {
    Command command;
    command.arguments = {paths::kAnalyzer, "stacks", host.trace()};
    command.arguments.insert(command.arguments.end(), options.begin(), options.end());
    command.environment = plain_environment();
    command.environment.push_back("MEMPROF_CACHE=" + host.at("cache"));
    command.directory = "/";
    const Outcome outcome = run(command);
    CHECK(outcome.exit_status == 0);
    return outcome.out;
  };
  const std::string expected = ask({"--no-cache"});
  CHECK_FALSE(fs::exists(host.at("cache")));
  CHECK(ask({}) == expected);
  REQUIRE(fs::exists(host.at("cache")));
  std::map<std::string, std::string> entries;
  for (const auto& entry : fs::directory_iterator(host.at("cache")))
    entries[entry.path().filename()] = read_file(entry.path());
  CHECK(entries.size() >= 1);
  CHECK(ask({}) == expected);
  for (const auto& [name, bytes] : entries) CHECK(read_file(host.at("cache") + "/" + name) == bytes);
}
