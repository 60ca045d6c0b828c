// MEMPROF_SNAPSHOT=exit: what pointed where when the program ended, and that the program does not notice.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

const std::string kAtExit = "MEMPROF_SNAPSHOT=exit";

// What `dump --snapshots` prints.
struct Snapshot {
  std::multimap<uint64_t, uint64_t> words;  // value by address
  std::vector<std::string> threads;
  std::map<std::string, size_t> ranges;  // by kind
  bool is_whole = false;
  uint64_t bytes_scanned = 0;

  bool holds(uint64_t address, uint64_t value) const {
    const auto [first, last] = words.equal_range(address);
    return std::any_of(first, last, [&](const auto& word) { return word.second == value; });
  }
  size_t threads_that(const std::string& state) const {
    return static_cast<size_t>(std::count_if(threads.begin(), threads.end(), [&](const std::string& thread) {
      return thread.find(" " + state + " ") != std::string::npos;
    }));
  }
};

Snapshot snapshot_of(const std::filesystem::path& trace) {
  const Outcome outcome = analyze({"dump", "--snapshots", trace.string()});
  REQUIRE(outcome.exit_status == 0);
  Snapshot snapshot;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    uint64_t value = 0;
    if (first.starts_with("0x")) {
      words >> std::hex >> value;
      snapshot.words.emplace(std::stoull(first, nullptr, 16), value);
    } else if (first == "thread") {
      snapshot.threads.push_back(line);
    } else if (first == "range") {
      ++snapshot.ranges[line.substr(line.rfind(' ') + 1)];
    } else if (first == "end") {
      snapshot.is_whole = true;
      snapshot.bytes_scanned = std::stoull(line.substr(line.find("scanned ") + 8));
    }
  }
  return snapshot;
}

Snapshot recorded_snapshot(const HostRun& host) { return snapshot_of(host.directory() / "trace.bin"); }

std::string hex(uint64_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

Outcome run_points(const FreshDirectory& directory, const std::string& argument) {
  return run({{host_path("points"), argument}, recording_environment({kAtExit}), directory.path(), "", {}});
}

}  // namespace

TEST_CASE("a snapshot has the words that point to blocks, wherever they lie", "[hosts][snapshot]") {
  FreshDirectory directory;
  const Outcome outcome = run_points(directory, "");
  REQUIRE(outcome.exit_status == 7);
  CHECK(outcome.err == "");
  const Snapshot snapshot = snapshot_of(directory / "trace.bin");
  REQUIRE(snapshot.is_whole);
  CHECK(snapshot.threads_that("taking") == 1);
  CHECK(snapshot.threads_that("stopped") == 2);
  CHECK(snapshot.threads.size() == 3);
  size_t checked = 0;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    std::istringstream words(line);
    std::string what, kind;
    uint64_t place = 0, block = 0;
    words >> what;
    if (what == "points") {
      words >> kind >> std::hex >> place >> block;
      CHECK(snapshot.holds(place, block));
    } else {
      REQUIRE(what == "holds");
      words >> std::hex >> block;
      CHECK(std::any_of(snapshot.threads.begin(), snapshot.threads.end(), [&](const std::string& thread) {
        return (thread + " ").find(" " + hex(block) + " ") != std::string::npos;
      }));
    }
    ++checked;
  }
  CHECK(checked == 11);
  CHECK(snapshot.bytes_scanned < 64 << 20);
  for (const char* kind : {"program_break", "main_stack", "anonymous", "file", "shared"}) {
    INFO(kind);
    CHECK(snapshot.ranges.contains(kind));
  }
}

TEST_CASE("a thread that blocks all signals that libc lets it block is seen", "[hosts][snapshot]") {
  FreshDirectory directory;
  const Outcome outcome = run_points(directory, "blocked");
  REQUIRE(outcome.exit_status == 7);
  const Snapshot snapshot = snapshot_of(directory / "trace.bin");
  CHECK(snapshot.is_whole);
  CHECK(snapshot.threads_that("stopped") == 3);
  CHECK(snapshot.threads_that("unseen") == 0);
}

TEST_CASE("a thread that blocks each and every signal is unseen, and said to be", "[hosts][snapshot]") {
  FreshDirectory directory;
  const Outcome outcome = run_points(directory, "deaf");
  REQUIRE(outcome.exit_status == 7);
  const Snapshot snapshot = snapshot_of(directory / "trace.bin");
  CHECK(snapshot.is_whole);
  CHECK(snapshot.threads_that("stopped") == 2);
  CHECK(snapshot.threads_that("unseen") == 1);
}

TEST_CASE("programs end with a snapshot as they end without", "[hosts][snapshot]") {
  using Arguments = std::vector<std::string>;
  const Arguments command =
      GENERATE(Arguments{"churn", "1000"}, Arguments{"endings", "return", "1"}, Arguments{"endings", "quick_exit", "1"},
               Arguments{"endings", "_exit", "1"}, Arguments{"main_thread_leaves"}, Arguments{"threads_pass_blocks"},
               Arguments{"many_threads", "200", "50"}, Arguments{"operator_new"}, Arguments{"scale", "sizes", "1"});
  INFO(command[0] << " " << (command.size() > 1 ? command[1] : ""));
  const HostRun host(command, {kAtExit});
  const Trace trace = host.trace();
  CHECK(trace.complete());
  CHECK(trace.dropped() == 0);
  CHECK(recorded_snapshot(host).is_whole);
}

TEST_CASE("without the setting there is no snapshot", "[hosts][snapshot]") {
  const HostRun host({"churn", "1000"}, {"MEMPROF_SNAPSHOT=never"});
  CHECK_FALSE(recorded_snapshot(host).is_whole);
  CHECK(recorded_snapshot(host).words.empty());
}

TEST_CASE("forked children have snapshots of their own", "[hosts][snapshot]") {
  const HostRun host({"forks", "fork"}, {kAtExit});
  for (const Trace& trace : host.traces()) {
    INFO(trace.path());
    CHECK(snapshot_of(trace.path()).is_whole);
  }
}

TEST_CASE("a snapshot that finds no room is not whole, and the program ends as ever", "[hosts][snapshot]") {
  FreshDirectory directory;
  const Outcome outcome = run(
      {{host_path("churn"), "1000"}, recording_environment({kAtExit, "MEMPROF_LIMIT=96K"}), directory.path(), "", {}});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err == "memprof: no whole snapshot could be taken at exit (MEMPROF_SNAPSHOT)\n");
  CHECK_FALSE(snapshot_of(directory / "trace.bin").is_whole);
}

TEST_CASE("a program whose forks wait for it has no snapshot, and ends", "[hosts][snapshot]") {
  FreshDirectory directory;
  const Outcome outcome =
      run({{host_path("watches_forks")}, recording_environment({kAtExit}), directory.path(), "", {}});
  if (outcome.exit_status == 77) return skip("no userfaultfd is allowed");
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err == "memprof: no whole snapshot could be taken at exit (MEMPROF_SNAPSHOT)\n");
  CHECK_FALSE(snapshot_of(directory / "trace.bin").is_whole);
}

TEST_CASE("a program under a seccomp filter has no snapshot", "[hosts][snapshot]") {
  const HostRun host({"seccomp", "strict"}, {kAtExit});
  CHECK_FALSE(recorded_snapshot(host).is_whole);
}

TEST_CASE("threads that wait in a call, or for a signal, go on waiting", "[hosts][snapshot]") {
  const std::string how = GENERATE("poll", "nanosleep", "semaphore", "sigwait");
  INFO(how);
  const HostRun host({"waits_in_calls", how}, {kAtExit});
  CHECK(host.recorded().out == "");
  const Snapshot snapshot = recorded_snapshot(host);
  CHECK(snapshot.is_whole);
  CHECK(snapshot.threads_that("stopped") == 1);
}

namespace {

// Under the preload, with snapshots by the call alone or by SIGUSR2.
Outcome take_snapshots(const FreshDirectory& directory, const std::string& what, const std::string& how) {
  return run({{host_path("takes_snapshots"), what, how},
              recording_environment({"MEMPROF_SNAPSHOT=SIGUSR2"}),
              directory.path(),
              "",
              {}});
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a snapshot in the middle of the run tells of that moment", "[hosts][snapshot]") {
  const std::string how = GENERATE("call", "signal");
  INFO(how);
  FreshDirectory directory;
  const Outcome outcome = take_snapshots(directory, "points", how);
  REQUIRE(outcome.exit_status == 0);
  CHECK(outcome.out == "taken 1\n");
  CHECK(outcome.err == "");
  const Outcome chunks = analyze({"chunks", "--state", "open", "--domain", "cpu", (directory / "trace.bin").string()});
  REQUIRE(chunks.exit_status == 0);
  std::map<uint64_t, std::string> reach;
  std::istringstream lines(chunks.out);
  for (std::string line; std::getline(lines, line);) {
    const auto chunk = nlohmann::json::parse(line);
    reach[chunk["size"]] = chunk.value("reach", "not told");
  }
  CHECK(reach[1000] == "reachable");  // what became of it later is not known
  CHECK(reach[2000] == "definite");
  CHECK(reach[3000] == "not told");  // allocated later
}

TEST_CASE("snapshots are taken among threads that allocate, and each is whole", "[hosts][snapshot]") {
  const std::string how = GENERATE("call", "signal");
  INFO(how);
  FreshDirectory directory;
  const Outcome outcome = take_snapshots(directory, "threads", how);
  REQUIRE(outcome.exit_status == 0);
  CHECK(outcome.out == "taken 20\n");
  const Outcome dump = analyze({"dump", "--snapshots", (directory / "trace.bin").string()});
  // By signal, one that comes while another is being written is passed over.
  CHECK(count_of(dump.out, "\n    end ") >= (how == "call" ? 20 : 1));
  CHECK(count_of(dump.out, "not whole") == 0);
  CHECK(count_of(dump.out, " unseen ") == 0);
}

TEST_CASE("a forked child takes snapshots of its own, and nobody waits for memprof's", "[hosts][snapshot]") {
  const std::string how = GENERATE("call", "signal");
  INFO(how);
  FreshDirectory directory;
  const Outcome outcome = take_snapshots(directory, "forks", how);
  REQUIRE(outcome.exit_status == 0);
  CHECK(outcome.out == "child taken 1\ntaken 1\n");
  for (const Trace& trace : traces_in(directory.path())) {
    INFO(trace.path());
    CHECK(snapshot_of(trace.path()).is_whole);
  }
}
