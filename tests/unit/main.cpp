// The one main of all Catch2 test programs. It adds what Catch2 v2 lacks: a test that cannot run here says why and is
// counted as skipped, never as passed. scripts/test sums the closing lines.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#include <cstdio>
#include <string>
#include <vector>

#include "skip.h"

namespace {

struct Outcomes {
  unsigned passed = 0;
  unsigned failed = 0;
  std::vector<std::string> skipped;
  std::string running;
  bool running_skipped = false;
};

Outcomes& outcomes() {
  static Outcomes all;
  return all;
}

class OutcomeListener : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    outcomes().running = info.name;
    outcomes().running_skipped = false;
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.testCases.failed > 0) {
      ++outcomes().failed;
      std::printf("FAILED: %s\n", outcomes().running.c_str());
    } else if (!outcomes().running_skipped) {
      ++outcomes().passed;
    }
  }

  void testRunEnded(const Catch::TestRunStats&) override {
    for (const std::string& line : outcomes().skipped) std::printf("SKIPPED: %s\n", line.c_str());
    std::printf("memprof test cases: %u passed, %u failed, %zu skipped\n", outcomes().passed, outcomes().failed,
                outcomes().skipped.size());
  }
};

CATCH_REGISTER_LISTENER(OutcomeListener)

}  // namespace

namespace memprof::tests {

void skip(const std::string& reason) {
  outcomes().running_skipped = true;
  outcomes().skipped.push_back(outcomes().running + ": " + reason);
}

}  // namespace memprof::tests
