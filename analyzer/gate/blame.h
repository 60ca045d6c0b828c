// Whose a finding is: where to look first, and whether the gate is to look at it at all.
#pragma once

#include <string>
#include <vector>

#include "gate/verdict.h"
#include "report/name_pattern.h"

namespace memprof {

class Blame {
 public:
  // `only_from`: directories of sources, source files, modules; names or globs (name_pattern.h). `ignored`: modules.
  // Neither is in force while it is empty. When `problem` is set, one of the texts is no pattern.
  static Blame parse(const std::vector<std::string>& only_from, const std::vector<std::string>& ignored,
                     std::string& problem);

  // Sets `blamed` and `is_elsewhere`.
  void assign(Finding& finding) const;

  bool has_origins() const { return !only_from_.empty(); }
  // From one of `only_from`.
  bool is_from_here(const FindingFrame& frame) const;

 private:
  struct Origin {
    std::string directory;  // with a slash at its end
    NamePattern pattern;
  };

  std::vector<Origin> only_from_;
  NamePatterns ignored_;
};

// Of the language's own libraries and the system's: whoever called it is meant.
bool is_runtime_frame(const FindingFrame& frame);

}  // namespace memprof
