// The verdict as a comment on a pull request: GitHub's and GitLab's Markdown.
#pragma once

#include <cstddef>
#include <string>

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

struct MarkdownOptions {
  std::string source_root;   // of the checkout; empty: paths are as the compiler recorded them
  size_t max_bytes = 65536;  // GitHub takes no longer comment; more than 4096 are always free to use
};

void print_check_markdown(const Verdict& verdict, const MarkdownOptions& options, Output& out);

}  // namespace memprof
