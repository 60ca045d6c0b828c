// What `timeline` says of recorded programs.
#include <catch2/catch.hpp>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

Json timeline_of(const Trace& trace, const std::vector<std::string>& options = {}) {
  std::vector<std::string> arguments = {"timeline", "--json", trace.path().string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const Outcome outcome = analyze(arguments);
  REQUIRE(outcome.exit_status == 0);
  return Json::parse(outcome.out);
}

uint64_t time_of_block(const std::vector<Json>& chunks, uint64_t size) {
  for (const Json& chunk : chunks)
    if (chunk.at("size") == size) return chunk.at("alloc_time_ns");
  FAIL("the trace has no block of " << size << " bytes");
  return 0;
}

// The samples taken between the blocks of these sizes.
std::vector<Json> samples_between(const Json& timeline, uint64_t from_ns, uint64_t to_ns) {
  std::vector<Json> samples;
  for (const Json& sample : timeline.at("samples"))
    if (sample.at("time_ns") >= from_ns && sample.at("time_ns") <= to_ns) samples.push_back(sample);
  return samples;
}

}  // namespace

TEST_CASE("samples show memory that is touched and given back", "[hosts][timeline]") {
  const HostRun run({"touches_memory"});
  const Trace trace = run.trace();
  const auto touched = expected(run.recorded(), "touched_bytes");
  const Json timeline = timeline_of(trace);
  const std::vector<Json> chunks = trace.chunks("open");
  uint64_t step[6];
  for (uint64_t i = 0; i < 6; ++i) step[i] = time_of_block(chunks, 1000001 + i);
  const auto before = samples_between(timeline, step[0], step[1]);
  const auto full = samples_between(timeline, step[2], step[3]);
  const auto after = samples_between(timeline, step[4], step[5]);
  REQUIRE(!before.empty());
  REQUIRE(!full.empty());
  REQUIRE(!after.empty());
  constexpr uint64_t kSlack = 8u << 20;  // the trace itself, what the kernel's counters hold back
  for (const Json& small : {before.back(), after.back()}) {
    const uint64_t there = small.at("resident_bytes");
    for (const Json& large : full) {
      const uint64_t resident = large.at("resident_bytes");
      CHECK(resident >= there + touched - kSlack);
      CHECK(resident <= there + touched + kSlack);
      if (!large.at("private_dirty_bytes").is_null()) {
        CHECK(large.at("private_dirty_bytes").get<uint64_t>() >= touched);
        CHECK(large.at("referenced_bytes").get<uint64_t>() >= touched);
        CHECK(large.at("anonymous_bytes").get<uint64_t>() >= touched);
      }
    }
  }
  const Json& samples = timeline.at("samples");
  uint64_t detailed = 0;
  for (const Json& sample : samples) {
    CHECK(sample.at("took_ns") > 0);
    CHECK(sample.at("virtual_bytes") >= sample.at("resident_bytes"));
    detailed += !sample.at("referenced_bytes").is_null();
  }
  CHECK(detailed >= 1);
  CHECK(samples.front().at("time_ns") < step[0]);
  // One in 50 ms, and the last.
  CHECK(samples.size() <= timeline.at("duration_ns").get<uint64_t>() / 50'000'000 + 2);
}

TEST_CASE("the greatest of all intervals is the peak of the summary", "[hosts][timeline]") {
  for (const char* points : {"1", "7", "300"}) {
    const HostRun run({"threads_pass_blocks"});
    const Trace trace = run.trace();
    const Json timeline = timeline_of(trace, {"--points", points, "--top", "0"});
    const Json& series = timeline.at("series");
    uint64_t max = 0, allocations = 0;
    for (const Json& value : series.at("max_bytes")) max = std::max(max, value.get<uint64_t>());
    for (const Json& value : series.at("allocations")) allocations += value.get<uint64_t>();
    CHECK(max == trace.summary().at("peak").at("bytes"));
    CHECK(allocations == trace.allocations());
    CHECK(series.at("open_bytes").back() == trace.open_bytes());
    CHECK(series.at("open_chunks").back() == trace.open_chunks());
    // Every block belongs to one thread.
    for (size_t i = 0; i < series.at("open_bytes").size(); ++i) {
      uint64_t bytes = 0;
      for (const Json& thread : timeline.at("threads"))
        bytes += thread.at("series").at("open_bytes")[i].get<uint64_t>();
      CHECK(bytes <= series.at("open_bytes")[i].get<uint64_t>());
    }
  }
}
