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

TEST_CASE("longjmp over many frames and fibers whose stacks go away", "[hosts][control]") {
  const HostRun host({"long_jumps"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("exceptions through a thousand frames that allocate", "[hosts][control]") {
  const HostRun host({"deep_throw"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}
