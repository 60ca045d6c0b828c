// What an analysis says under a selection, in the words of the slow account.
#pragma once

#include <vector>

#include "selection_oracle.h"
#include "trace_opened.h"

namespace memprof::test {

// An answer of the analyzer in the words of the oracle, and what of it has an order.
struct Observed {
  Answer answer;
  std::vector<BlockCall> calls_in_order;
  std::vector<Change> changes_in_order;
};

Selection selection_of(const Question& question);

// Makes the sites what the question wants, as a report does.
class GroupedSites {
 public:
  GroupedSites(Trace& trace, const SelectionHistory& history, Question& question);
  ~GroupedSites();

 private:
  Trace& trace_;
};

// `question` outlives the trace's use.
Observed observe(Trace& trace, const Question& question, unsigned threads);

// Fails the test where they differ.
void compare(const Observed& observed, const Answer& want);
// Asks with several numbers of threads, compares all answers.
void ask(Trace& trace, const SelectionHistory& history, Question question);

}  // namespace memprof::test
