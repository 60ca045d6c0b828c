// Suppressions as LeakSanitizer reads them, from files and from programs: lines of `leak:PATTERN`. The pattern is found
// anywhere in a frame's function, source file or module; `*`, `^` and `$` are special. They are of leaks, of every
// kind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gate/suppressible_stack.h"
#include "gate/suppression_lines.h"
#include "gate/suppression_pattern.h"

namespace memprof {

struct LsanSuppression {
  SuppressionPattern pattern;
  uint32_t line = 0;

  bool matches(const SuppressibleStack& allocation) const;
};

// Lines of other sanitizers (`race:...`) are passed over. Sets `problem` and stops where the text is wrong.
std::vector<LsanSuppression> parse_lsan_suppressions(SuppressionLines lines, std::string& problem);

}  // namespace memprof
