// What an analysis says under a selection against the slow account of selection_oracle.h: every number, every call of
// a visitor, every change of the sums, with 1, 2 and 8 threads.
#include <catch2/catch.hpp>

#include "selection_observed.h"
#include "selection_questions.h"

using namespace memprof;
using namespace memprof::test;

TEST_CASE("the whole of a random trace agrees with a slow account", "[selection]") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    ask(trace, history, {});
  }
}

TEST_CASE("windows of random traces agree with a slow account", "[selection]") {
  for (uint64_t seed = 100; seed < 140; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 8; ++i) {
      Question question;
      asker.choose_window(question);
      ask(trace, history, question);
    }
  }
}

TEST_CASE("every condition alone agrees with a slow account, whole and in windows", "[selection]") {
  for (uint64_t seed = 200; seed < 220; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int condition = 0; condition < Asker::kConditions; ++condition) {
      Question question;
      asker.choose(question, condition);
      ask(trace, history, question);
      asker.choose_window(question);
      ask(trace, history, question);
    }
  }
}

TEST_CASE("conditions together agree with a slow account", "[selection]") {
  for (uint64_t seed = 300; seed < 330; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 8; ++i) {
      Question question;
      asker.choose_window(question);
      for (int count = 2 + static_cast<int>(asker.pick(2)); count != 0; --count) asker.choose_any(question);
      ask(trace, history, question);
    }
  }
}

TEST_CASE("sites that are threads, tags or groups of stacks agree with a slow account", "[selection]") {
  for (uint64_t seed = 500; seed < 515; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    for (const SiteBy by : {SiteBy::thread, SiteBy::tag, SiteBy::group}) {
      Trace trace(open_bytes(history.builder.build()));
      Asker asker(history, seed);
      for (int i = 0; i < 3; ++i) {
        Question question;
        question.by = by;
        if (i > 0) asker.choose_window(question);
        if (i > 1) asker.choose_any(question);
        ask(trace, history, question);
      }
    }
  }
}

TEST_CASE("a large trace agrees with a slow account where slices, batches and pages end", "[selection]") {
  for (uint64_t seed = 400; seed < 402; ++seed) {
    CAPTURE(seed);
    HistoryPlan plan = random_plan(seed);
    plan.events = 70'000;
    plan.threads = seed % 2 == 0 ? 3 : 12;
    plan.is_dense = true;
    SelectionHistory history(plan);
    REQUIRE(history.steps.size() > 60'000);
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 4; ++i) {
      Question question;
      if (i > 0) asker.choose_window(question);
      if (i > 1) asker.choose_any(question);
      ask(trace, history, question);
    }
  }
}
