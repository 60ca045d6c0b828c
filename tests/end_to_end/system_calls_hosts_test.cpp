// What a recording adds to the system calls of a program: some for each page of the trace, none for an event. strace
// writes one line a call.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

constexpr const char* kStrace = "/usr/bin/strace";
constexpr int64_t kPageBytes = 16384;
constexpr int64_t kMostCallsPerPage = 12;
constexpr int64_t kMostCallsMore = 16;  // once per run: a table that grew, another page of the host's stack

struct Counted {
  int64_t calls = 0, pages = 0, events = 0;
};

Outcome trace_calls(const FreshDirectory& directory, const std::vector<std::string>& host, bool recorded) {
  std::vector<std::string> command = {kStrace, "-f", "-qq", "-o", (directory / "calls").string()};
  if (recorded) command.insert(command.end(), {"-E", std::string("LD_PRELOAD=") + paths::kLibrary});
  command.push_back(host_path(host.at(0)));
  command.insert(command.end(), host.begin() + 1, host.end());
  return run({command, plain_environment(), directory.path(), "", {}});
}

bool can_count() {
  if (access(kStrace, X_OK) != 0) {
    skip(std::string("there is no ") + kStrace);
    return false;
  }
  FreshDirectory directory;
  const bool traces = trace_calls(directory, {"churn", "1"}, false).exit_status == 0;
  if (!traces) skip("strace may not trace a process here");
  return traces;
}

Counted count(const std::vector<std::string>& host, bool recorded) {
  FreshDirectory directory;
  const Outcome outcome = trace_calls(directory, host, recorded);
  CHECK(outcome.exit_status == 0);
  Counted counted;
  std::istringstream lines(read_file(directory / "calls"));
  for (std::string line; std::getline(lines, line);) counted.calls += line.find('(') != std::string::npos ? 1 : 0;
  if (!recorded) return counted;
  const Trace trace(directory / "trace.bin");
  CHECK(trace.complete());
  CHECK(trace.dropped() == 0);
  counted.pages = trace.summary().at("trace").at("bytes").get<int64_t>() / kPageBytes;
  counted.events = trace.summary().at("trace").at("events");
  return counted;
}

// Compares a run with another one of more work: what the beginning and the end of a recording cost is in both.
void check_calls(const std::vector<std::string>& little, const std::vector<std::string>& much) {
  INFO(much[0]);
  const Counted native_little = count(little, false), native_much = count(much, false);
  const Counted recorded_little = count(little, true), recorded_much = count(much, true);
  const int64_t pages = recorded_much.pages - recorded_little.pages;
  const int64_t events = recorded_much.events - recorded_little.events;
  const int64_t calls = recorded_much.calls - recorded_little.calls - (native_much.calls - native_little.calls);
  INFO(events << " events more, " << pages << " pages more, " << calls << " system calls more");
  REQUIRE(events > 100'000);
  CHECK(recorded_little.calls > native_little.calls);
  CHECK(calls <= kMostCallsPerPage * pages + kMostCallsMore);
  CHECK(calls * 100 < events);
}

}  // namespace

TEST_CASE("an event makes no system call", "[hosts][system_calls]") {
  if (!can_count()) return;
  check_calls({"churn", "20000"}, {"churn", "200000"});
}

TEST_CASE("an event makes no system call where the stack's depth changes by hundreds of pages",
          "[hosts][system_calls]") {
  if (!can_count()) return;
  check_calls({"stack_mixed_frames", "100"}, {"stack_mixed_frames", "3000"});
}

TEST_CASE("an event makes no system call where a thread changes between many fibers", "[hosts][system_calls]") {
  if (!can_count()) return;
  check_calls({"switches_fibers", "5000"}, {"switches_fibers", "100000"});
}
