// The verdict for a person: what fails in full, what does not in numbers, and last a line with the verdict.
#pragma once

#include <cstddef>

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

struct CheckTextOptions {
  size_t max_frames = 12;    // a stack
  size_t max_findings = 50;  // that are told in full
};

void print_check_text(const Verdict& verdict, const CheckTextOptions& options, Output& out);

}  // namespace memprof
