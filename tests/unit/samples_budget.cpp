#include <catch2/catch.hpp>

#include "samples/sample_budget.h"

using memprof::SampleBudget;

TEST_CASE("readings of smaps_rollup take at most a thousandth of the time", "[samples]") {
  constexpr uint64_t kMiB = 1 << 20, kSecond = 1'000'000'000;
  for (const uint64_t cost_ns : {20'000u, 400'000u, 9'000'000u}) {
    SampleBudget budget(kSecond);
    uint64_t spent = 0, readings = 0;
    for (uint64_t now = kSecond; now < 400 * kSecond; now += SampleBudget::kLeastDistanceNs) {
      if (!budget.affords_rollup(now, 8 * kMiB)) continue;
      budget.note_rollup(cost_ns, 8 * kMiB);
      spent += cost_ns;
      ++readings;
      // The first is a guess; once the cost is known it is kept.
      if (readings > 1) REQUIRE(spent * SampleBudget::kRollupPart <= now - kSecond);
    }
    CHECK(readings >= 40);
  }
}

TEST_CASE("a process that has grown is expected to take longer", "[samples]") {
  constexpr uint64_t kMiB = 1 << 20;
  SampleBudget budget(0);
  CHECK_FALSE(budget.affords_rollup(0, kMiB));
  budget.note_rollup(100'000, 10 * kMiB);
  CHECK(budget.affords_rollup(200'000'000, 10 * kMiB));
  CHECK_FALSE(budget.affords_rollup(200'000'000, 20 * kMiB));
  CHECK(budget.affords_rollup(300'000'000, 20 * kMiB));
}
