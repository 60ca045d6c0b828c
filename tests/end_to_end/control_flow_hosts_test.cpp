#include <catch2/catch.hpp>
#include <sstream>

#include "host.h"

using namespace memprof::tests;

TEST_CASE("signal handlers that allocate, on the thread's stack and on their own", "[hosts][control]") {
  const HostRun host({"signal_handlers", "raised"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("a timer's handler that maps memory inside the recorder is recorded too", "[hosts][control]") {
  const HostRun host({"signal_handlers", "mapped"});
  uint64_t signals = 0, rounds = 0;
  std::istringstream(read_file(host.directory() / "signals")) >> signals >> rounds;
  const Trace trace = host.trace();
  const Json& mapped = trace.summary().at("domains").at("mmap");
  CHECK(trace.allocations() == rounds);
  CHECK(trace.open_chunks() == 0);
  CHECK(trace.orphans() == 0);
  CHECK(mapped.at("allocations") == signals);
  CHECK(mapped.at("open").at("chunks") == 0);
  CHECK(trace.dropped() == 0);
}

TEST_CASE("2,000 jumps out of the recorder leave it able to record", "[hosts][control]") {
  const HostRun host({"jumps_out"});
  const Trace trace = host.trace();
  const Outcome& said = host.recorded();
  CHECK(trace.allocations() == expected(said, "allocations"));
  CHECK(trace.frees() == expected(said, "frees"));
  CHECK(trace.open_chunks() == expected(said, "open"));
  CHECK(trace.open_bytes() == expected(said, "open_bytes"));
  CHECK(trace.unknown_orphans() == 0);
}

TEST_CASE("jumps out of the hooks around malloc and free leave the heap's record right", "[hosts][control]") {
  const HostRun host({"jumps_out_of_malloc"});
  uint64_t started_allocations = 0, done_allocations = 0, started_frees = 0, done_frees = 0;
  std::istringstream(read_file(host.directory() / "calls")) >> started_allocations >> done_allocations >>
      started_frees >> done_frees;
  const Trace trace = host.trace();
  const uint64_t interrupted = trace.summary().at("dropped").at("interrupted");
  // After the jumps: 1,000 times malloc, realloc and free, and one block that stays.
  const uint64_t allocations = trace.allocations() - 2001;
  const uint64_t frees = trace.frees() - 2000;
  CHECK(interrupted > 0);
  CHECK(trace.dropped() == interrupted);
  CHECK(allocations + interrupted >= done_allocations);
  CHECK(allocations <= started_allocations);
  CHECK(frees + interrupted >= done_frees);
  CHECK(frees <= started_frees);
  CHECK(allocations + frees + interrupted <= started_allocations + started_frees);
  CHECK(trace.unknown_orphans() <= interrupted);
  const std::vector<Json> open = trace.chunks("open");
  CHECK(count_if(open, [](const Json& chunk) { return chunk.at("size") == 700; }) == 1);
  CHECK(count_if(open, [](const Json& chunk) { return chunk.at("size") == 500 || chunk.at("size") == 600; }) == 0);
  CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
  CHECK(trace.complete());
}

TEST_CASE("longjmp over many frames and fibers whose stacks go away", "[hosts][control]") {
  const HostRun host({"long_jumps"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("exceptions through a thousand frames that allocate", "[hosts][control]") {
  const HostRun host({"deep_throw"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}

TEST_CASE("an exception that is thrown again in each of a thousand frames, and one that a thread hands over",
          "[hosts][control]") {
  const HostRun host({"rethrows"}, {"MEMPROF_MAX_DEPTH=32"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}
