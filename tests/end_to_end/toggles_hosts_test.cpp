// MEMPROF_TOGGLE: a signal that starts and pauses the recording of a running program.
#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

namespace {

Outcome toggle_in(const FreshDirectory& directory, const std::string& how, const std::vector<std::string>& settings) {
  return run({{host_path("toggles_recording"), how}, recording_environment(settings), directory.path(), "", {}});
}

// Blocks that the host allocated in its time number `time`: it tells them by their sizes.
uint64_t of_time(const std::vector<Json>& chunks, uint64_t time) {
  return count_if(chunks, [&](const Json& chunk) { return chunk.at("size") == 1001 + time; });
}

// Recorded in the times 1 and 3 alone.
void check_paused_at_first(const Trace& trace) {
  const std::vector<Json> open = trace.chunks("open"), closed = trace.chunks("closed");
  CHECK(of_time(open, 1) == 5);
  CHECK(of_time(closed, 1) == 5);  // three of them were freed in a pause
  CHECK(of_time(open, 3) == 10);
  for (const uint64_t paused : {0, 2, 4}) CHECK(of_time(trace.chunks(), paused) == 0);
  CHECK(trace.allocations() == 21);  // and the block of the realloc
  // The realloc of a block from before, and four blocks of the pause in the middle.
  CHECK(trace.orphans() == 5);
  CHECK(trace.summary().at("orphaned").at("before_start") == 5);
  CHECK(trace.dropped() == 0);
  CHECK(trace.complete());
}

}  // namespace

TEST_CASE("exactly the blocks that were allocated between two signals are recorded", "[hosts][toggles]") {
  FreshDirectory directory;
  const Outcome outcome = toggle_in(directory, "", {"MEMPROF_START=paused", "MEMPROF_TOGGLE=SIGUSR2"});
  CHECK(outcome.out == "handled 0\n");
  CHECK(outcome.err.empty());
  check_paused_at_first(Trace(directory / "trace.bin"));
}

TEST_CASE("a recording that is on is paused by the first signal", "[hosts][toggles]") {
  FreshDirectory directory;
  const Outcome outcome = toggle_in(directory, "", {"MEMPROF_TOGGLE=SIGUSR2"});
  CHECK(outcome.out == "handled 0\n");
  const std::vector<Json> chunks = Trace(directory / "trace.bin").chunks();
  for (const uint64_t on : {0, 2, 4}) CHECK(of_time(chunks, on) == 10);
  for (const uint64_t paused : {1, 3}) CHECK(of_time(chunks, paused) == 0);
}

TEST_CASE("the program's own handler takes the place of the toggle", "[hosts][toggles]") {
  FreshDirectory directory;
  const Outcome outcome = toggle_in(directory, "own", {"MEMPROF_START=paused", "MEMPROF_TOGGLE=SIGUSR2"});
  CHECK(outcome.out == "handled 4\n");
  CHECK(Trace(directory / "trace.bin").allocations() == 0);
  const auto says_so = [](const Outcome& summary) {
    return summary.out.find("PAUSED from begin to end") != std::string::npos;
  };
  CHECK(says_so(analyze({(directory / "trace.bin").string()})));
  toggle_in(directory, "", {"MEMPROF_START=paused", "MEMPROF_TOGGLE=SIGUSR2"});
  CHECK_FALSE(says_so(analyze({(directory / "trace.bin").string()})));
}

TEST_CASE("a signal to a forked child toggles the child alone", "[hosts][toggles]") {
  FreshDirectory directory;
  const Outcome outcome = toggle_in(directory, "fork", {"MEMPROF_START=paused", "MEMPROF_TOGGLE=SIGUSR2"});
  CHECK(outcome.out == "child 0\n");
  const std::vector<Trace> traces = traces_in(directory.path());
  REQUIRE(traces.size() == 2);
  CHECK(traces[0].allocations() == 0);
  const std::vector<Json> chunks = traces[1].chunks();
  for (const uint64_t on : {1, 3}) CHECK(of_time(chunks, on) == 10);
  for (const uint64_t paused : {0, 2, 4}) CHECK(of_time(chunks, paused) == 0);
}

TEST_CASE("a signal that takes snapshots does not toggle as well, and memprof says so", "[hosts][toggles]") {
  FreshDirectory directory;
  const Outcome outcome = toggle_in(directory, "", {"MEMPROF_SNAPSHOT=SIGUSR2", "MEMPROF_TOGGLE=SIGUSR2"});
  CHECK(outcome.err.find("MEMPROF_TOGGLE: MEMPROF_SNAPSHOT has the same signal") != std::string::npos);
  const std::vector<Json> chunks = Trace(directory / "trace.bin").chunks();
  for (uint64_t time = 0; time < 5; ++time) CHECK(of_time(chunks, time) == 10);
}
