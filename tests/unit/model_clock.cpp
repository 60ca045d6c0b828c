#include <catch2/catch.hpp>

#include <random>

#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

Clock clock_of(format::Clock kind, uint64_t end_ticks, uint64_t end_ns, uint64_t nominal) {
  TraceBuilder b;
  b.header.clock = kind;
  b.header.start_ticks = 5'000'000'000;
  b.header.start_monotonic_ns = 1'000;
  b.header.nominal_ticks_per_second = nominal;
  b.header.end_ticks = end_ticks;
  b.header.end_monotonic_ns = end_ns;
  return Clock(open_bytes(b.build()));
}

}  // namespace

TEST_CASE("ticks become nanoseconds by the first and last calibration point", "[model]") {
  const Clock clock = clock_of(format::Clock::tsc, 8'000'000'000, 1'000'001'000, 1);
  CHECK(clock.ns_since_start(5'000'000'000) == 0);
  CHECK(clock.ns_since_start(6'500'000'000) == 500'000'000);
  CHECK(clock.ns_since_start(1) == 0);
  CHECK(clock.ticks_of_duration(1'000) == 3'000);
}

TEST_CASE("points too close together give way to the processor's own figure", "[model]") {
  const Clock clock = clock_of(format::Clock::tsc, 5'000'000'900, 1'100, 2'000'000'000);
  CHECK(clock.ns_since_start(7'000'000'000) == 1'000'000'000);
}

TEST_CASE("a clock that goes back or not at all does not divide by zero", "[model]") {
  CHECK(clock_of(format::Clock::tsc, 4, 4, 0).ns_since_start(5'000'000'007) == 7);
  CHECK(clock_of(format::Clock::tsc, UINT64_MAX, 1'001, 0).ns_since_start(UINT64_MAX) > 0);
  CHECK(clock_of(format::Clock::monotonic, UINT64_MAX, 1'001, 0).ns_since_start(5'000'000'007) == 7);
}

TEST_CASE("runs of all streams come in the order of the clock, each stream in its own", "[model]") {
  std::mt19937_64 random(3);
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  std::vector<uint64_t> times(300);
  for (int i = 0; i < 20'000; ++i) {
    const auto stream = static_cast<uint32_t>(1 + random() % times.size());
    times[stream - 1] += random() % 100;
    b.alloc(stream, 1 + times[stream - 1], 0x1000 + static_cast<uint64_t>(i) * 16, stream, s);
  }
  const TraceFile file = open_bytes(b.build());
  EventFeed feed(file);
  Merge merge(feed);
  Batch batch;
  uint64_t last = 0, events = 0;
  std::vector<uint64_t> last_address(times.size() + 1);
  while (merge.next(batch)) {
    REQUIRE(batch.first_number == events);
    for (const Run& run : batch.runs) {
      REQUIRE_FALSE(run.events.empty());
      for (const Event& event : run.events) {
        REQUIRE(event.ticks >= last);
        last = event.ticks;
        REQUIRE(event.address > last_address[event.size]);
        last_address[event.size] = event.address;
        REQUIRE(feed.threads()[run.thread].serial == event.size);
        ++events;
      }
    }
  }
  CHECK(events == 20'000);
  CHECK(feed.pages_read() == feed.page_count());
}

TEST_CASE("the first ticks of a time are those at which reports begin to say it", "[model]") {
  std::mt19937_64 random(5);
  for (const uint64_t rate : {uint64_t{1'000'000}, uint64_t{999'999'937}, uint64_t{2'450'000'000}}) {
    const Clock clock = clock_of(format::Clock::tsc, 5'000'000'900, 1'100, rate);
    for (int i = 0; i < 1'000; ++i) {
      const uint64_t ns = random() >> (random() % 40 + 20);
      const uint64_t ticks = clock.first_ticks_at(ns);
      CHECK(clock.ns_since_start(ticks) >= ns);
      if (ns != 0) CHECK(clock.ns_since_start(ticks - 1) < ns);
    }
  }
}
