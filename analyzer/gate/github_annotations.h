// The verdict as workflow commands of GitHub Actions, which show it at the lines of a pull request.
#pragma once

#include <string>

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

struct GithubOptions {
  std::string source_root;  // of the checkout; empty: paths are as the compiler recorded them
};

// GitHub shows ten errors and ten warnings of a step. When there are more errors, the tenth says how many.
void print_github_annotations(const Verdict& verdict, const GithubOptions& options, Output& out);

}  // namespace memprof
