// An analysis that may not have all the memory or threads that it would like: the same answer, or exit 4 and one line.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "host.h"
#include "paths.h"

using namespace memprof::tests;

namespace {

// A million blocks that four threads pass to each other.
struct Recorded {
  FreshDirectory directory;
  std::string path;
  Recorded() : path((directory / "trace.bin").string()) {
    const Outcome outcome =
        run({{host_path("threads_pass_blocks")}, recording_environment(), directory.path(), "", {}});
    REQUIRE(outcome.exit_status == 0);
  }

  Outcome summary(const std::string& jobs, rlim_t stack_bytes, rlim_t address_bytes) const {
    const auto limit = [=] {
      const rlimit stack{stack_bytes, stack_bytes}, space{address_bytes, address_bytes};
      if (setrlimit(RLIMIT_STACK, &stack) != 0 || setrlimit(RLIMIT_AS, &space) != 0) _exit(125);
    };
    return run({{paths::kAnalyzer, "summary", "--no-symbols", "--no-cache", "--json", "--jobs", jobs, path},
                plain_environment(),
                directory.path(),
                "",
                limit});
  }
};

constexpr rlim_t kMiB = rlim_t{1} << 20;

}  // namespace

TEST_CASE("an analysis that gets fewer threads than it asks for goes on with those", "[cli]") {
  const Recorded recorded;
  const Outcome whole = recorded.summary("1", 8 * kMiB, RLIM_INFINITY);
  REQUIRE(whole.exit_status == 0);
  // A thread's stack is as large as the limit: none fits, or two.
  for (const rlim_t space : {900 * kMiB, 3000 * kMiB}) {
    INFO(space / kMiB << " MiB");
    const Outcome outcome = recorded.summary("8", 1000 * kMiB, space);
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.err == "");
    CHECK(outcome.out == whole.out);
  }
}

TEST_CASE("an analysis that runs out of memory says so, on any of its threads", "[cli]") {
  const Recorded recorded;
  size_t failed = 0;
  for (rlim_t space = 30 * kMiB; space < 150 * kMiB; space += 5 * kMiB) {
    INFO(space / kMiB << " MiB");
    const Outcome outcome = recorded.summary("4", 1 * kMiB, space);
    CHECK(outcome.signal == 0);
    if (outcome.exit_status == 0) continue;
    // The loader does not get far with the least of them.
    ++failed;
    CHECK((outcome.exit_status == 4 || outcome.exit_status == 127));
    CHECK(outcome.out == "");
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }
  CHECK(failed > 0);
}
