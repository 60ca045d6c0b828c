// Windows and filters on a recording of many threads: what summary says is what the chunks of the whole trace add up
// to.
#include <catch2/catch.hpp>

#include "host.h"
#include "recorded_account.h"

using namespace memprof::test;
using namespace memprof::tests;

TEST_CASE("summaries under windows and filters agree with the chunks of the whole recording", "[hosts][selections]") {
  const HostRun host({"many_threads", "200", "50"});
  const Trace trace = host.trace();
  const std::vector<Json> chunks = trace.chunks();
  REQUIRE(chunks.size() > 1000);
  std::mt19937_64 random(23);
  for (int i = 0; i < 20; ++i) {
    RecordedQuestion question = random_question(chunks, random);
    if (question.from_ns == question.to_ns) continue;  // refused: such a window is empty
    std::vector<std::string> command = {"summary", "--json", "--no-symbols", trace.path().string()};
    if (question.from_ns != 0) command.insert(command.end(), {"--from", std::to_string(question.from_ns) + "ns"});
    if (question.to_ns != UINT64_MAX) command.insert(command.end(), {"--to", std::to_string(question.to_ns) + "ns"});
    if (question.least_size != 0) command.insert(command.end(), {"--size", std::to_string(question.least_size) + ".."});
    if (question.thread) command.insert(command.end(), {"--thread", std::to_string(*question.thread)});
    if (question.temporary) command.push_back(*question.temporary ? "--temporary=yes" : "--temporary=no");
    const Outcome outcome = analyze(command);
    CAPTURE(command, outcome.err);
    REQUIRE(outcome.exit_status == 0);
    CHECK(account_of_summary(Json::parse(outcome.out)) == recorded_account(chunks, question));
  }
}
