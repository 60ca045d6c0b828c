// Windows that begin at a checkpoint against the slow account, which knows of none.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "model/checkpoints.h"
#include "selection_observed.h"
#include "selection_questions.h"

using namespace memprof;
using namespace memprof::test;

namespace {

// As a whole analysis leaves them, also of a trace that is too small to be worth it.
void leave_checkpoints(const Trace& trace, unsigned threads) {
  EventFeed feed(trace.file);
  Merge merge(feed);
  Pairing pairing(trace.domains, trace.nodes, Pairing::config_for(trace.file, trace.clock, feed), nullptr);
  Summing summing(pairing.accounts(), trace.nodes, trace.site_keys, nullptr);
  CheckpointWriter writer(trace.file, trace.cache);
  Pipeline(feed, merge, pairing, summing, nullptr, &writer).run(threads);
  writer.finish();
}

// From a checkpoint events are not numbered from the begin.
void forget_numbers(Answer& answer) {
  for (BlockCall& call : answer.calls) call.alloc_number = call.end_number = 0;
  std::sort(answer.calls.begin(), answer.calls.end());
}

}  // namespace

TEST_CASE("windows that begin at a checkpoint agree with a slow account", "[selection]") {
  std::string cache = (std::filesystem::temp_directory_path() / "memprof-selection-XXXXXX").string();
  REQUIRE(::mkdtemp(cache.data()) != nullptr);
  int from_checkpoints = 0;
  for (uint64_t seed = 600; seed < 603; ++seed) {
    CAPTURE(seed);
    HistoryPlan plan = random_plan(seed);
    plan.events = 40'000;
    plan.is_closed = true;
    plan.has_contradictions = true;
    SelectionHistory history(plan);
    Trace trace(open_bytes(history.builder.build()));
    trace.cache = CacheDirectory(cache);
    Asker asker(history, seed);
    for (int i = 0; i < 8; ++i) {
      // Anew each time: where they lie depends on how the threads run.
      leave_checkpoints(trace, i % 3 == 0 ? 1 : 8);
      const CheckpointFile checkpoints(trace.file, trace.cache);
      Question question;
      question.from_ns = 1 + asker.time();
      if (i % 2 == 0) question.to_ns = std::max(question.from_ns, asker.time());
      if (i > 2) asker.choose_any(question);
      CAPTURE(question.text());
      from_checkpoints += checkpoints.state_before(trace.clock.first_ticks_at(question.from_ns)).has_value();
      Answer want = answer(history, question);
      forget_numbers(want);
      Observed observed = observe(trace, question, i % 2 == 0 ? 1 : 2);
      forget_numbers(observed.answer);
      compare(observed, want);
    }
  }
  std::filesystem::remove_all(cache);
  CHECK(from_checkpoints > 6);
}
