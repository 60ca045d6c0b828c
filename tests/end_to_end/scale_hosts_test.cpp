// Many of everything, and sizes at either end.
#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

TEST_CASE("a stack of 100,000 frames is cut at the limit and marked", "[hosts][scale]") {
  for (const uint64_t most_frames : {256, 1024}) {
    INFO(most_frames << " frames are kept");
    const HostRun host({"scale", "depth", "100000"}, {"MEMPROF_MAX_DEPTH=" + std::to_string(most_frames)});
    const Trace trace = host.trace();
    check_trace(trace, host.recorded());
    // Of the whole ones, which end in main and _start, two a depth; all deeper ones are the same few.
    CHECK(trace.summary().at("truncated_stacks") == 8);
    CHECK(trace.summary().at("stacks").get<uint64_t>() == 2 * most_frames - 2);
  }
}

TEST_CASE("2^17 stacks, all different", "[hosts][scale]") {
  const HostRun host({"scale", "stacks", "17"});
  const Trace trace = host.trace();
  check_trace(trace, host.recorded());
  CHECK(trace.summary().at("stacks") == 1 << 17);
}

TEST_CASE("2^20 stacks, all different", "[hosts][scale][long]") {
  const HostRun host({"scale", "stacks", "20"});
  const Trace trace = host.trace();
  check_trace(trace, host.recorded());
  const Json& summary = trace.summary();
  CHECK(summary.at("stacks") == 1 << 20);
  CHECK(summary.at("truncated_stacks") == 0);
  // 2^21 nodes: some 10 bytes each in the file.
  CHECK(summary.at("trace").at("bytes").get<uint64_t>() < (uint64_t{1} << 21) * 20);
}

TEST_CASE("blocks of 0 bytes and mappings of 8 TiB", "[hosts][scale]") {
  const HostRun host({"scale", "sizes", "0"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("100 million events", "[hosts][scale][long]") {
  const HostRun host({"scale", "events", "100"});
  const Trace trace = host.trace();
  CHECK(trace.summary().at("trace").at("events") == 100'000'000);
  CHECK(trace.allocations() == 50'000'000);
  CHECK(trace.frees() == 50'000'000);
  CHECK(trace.open_chunks() == 0);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK(trace.complete());
}
