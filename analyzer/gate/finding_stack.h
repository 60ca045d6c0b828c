// The stack of a finding as lines of text.
#pragma once

#include <string>
#include <vector>

#include "gate/verdict.h"

namespace memprof {

struct FindingStackStyle {
  size_t max_frames = 12;  // lines; the blamed frame is shown even when it lies further out
  size_t columns = 96;
};

// Innermost first, escaped for a terminal. The blamed frame begins with "> ", all else with two blanks. Runs of frames
// in the C++ library and the start-up frames at the outer end are folded.
std::vector<std::string> allocation_stack_lines(const Finding& finding, const FindingStackStyle& style);
// Where it was freed; empty where that is not known.
std::vector<std::string> free_stack_lines(const Finding& finding, const FindingStackStyle& style);

}  // namespace memprof
