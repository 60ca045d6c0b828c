// The verdict as test results, for what reads JUnit's XML (GitLab, Jenkins): a test case for each finding that counts
// or is suppressed, and one for each rule. The names have no numbers in them, so that a reader sees the same case in
// the next run.
#pragma once

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

void print_junit(const Verdict& verdict, Output& out);

}  // namespace memprof
