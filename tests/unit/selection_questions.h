// Random histories and random questions about them.
#pragma once

#include <random>

#include "selection_oracle.h"

namespace memprof::test {

HistoryPlan random_plan(uint64_t seed);

class Asker {
 public:
  Asker(const SelectionHistory& history, uint64_t seed) : history_(history), random_(seed) {}

  // A time at which something happens, or one beside it, or any.
  uint64_t time();
  // Any: none, half open, empty, beyond the end.
  void choose_window(Question& question);
  // `condition`: one of so many.
  static constexpr int kConditions = 10;
  void choose(Question& question, int condition);
  void choose_any(Question& question) { choose(question, static_cast<int>(pick(kConditions))); }
  uint64_t pick(uint64_t below) { return random_() % below; }

 private:
  uint64_t lifetime();

  const SelectionHistory& history_;
  std::mt19937_64 random_;
};

}  // namespace memprof::test
