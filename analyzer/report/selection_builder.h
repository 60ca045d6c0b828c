// From the filters as they were typed to the Selection of a trace.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/analysis.h"
#include "report/filter_texts.h"
#include "report/symbol_options.h"

namespace memprof {

struct BuiltSelection {
  Selection selection;
  std::shared_ptr<const FilterCounts> counts;
  // When set, the filters make no sense for this trace. Raw bytes of the trace may be in it.
  std::string problem;
  // Names without wildcards that this trace does not have: `option text` each, and what to say.
  struct Unknown {
    std::string what, message;
  };
  std::vector<Unknown> unknown;
};

// What can be said without a trace: patterns, numbers and words that are none. Empty when all is well.
std::string filter_problem(const FilterTexts& texts);

// `texts` have no filter_problem(). `trace` outlives the selection and is not moved. A pass over the events is made
// only where a time is asked for and the trace does not tell its end.
BuiltSelection build_selection(const Trace& trace, const FilterTexts& texts, const SymbolOptions& symbols,
                               ProgressSink* progress);

}  // namespace memprof
