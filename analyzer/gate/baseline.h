// The findings that were there before, as a file that is committed beside the code (`--write-baseline`).
//
//     {"schema": "memprof.baseline/1", "fingerprint_version": 1, "findings": [
//     {"kind":"definite","allocator":"malloc","blocks":1,"bytes":100,"functions":["parse","main"],"fingerprint":"…"},
//     ...
//     ]}
//
// One line a finding, in the order of kind, functions, allocator: a diff of two such files reads as what changed. There
// is nothing in it of addresses, lines, files, builds or times.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gate/verdict.h"

namespace memprof {

class Baseline {
 public:
  // Throws GateFileError (gate/budget.h).
  static Baseline read(const std::string& path);

  // Gives each finding its status, and appends those that only the baseline has as fixed ones. The same place is found
  // again by fingerprint, or, among what is then left on both sides, by model/fingerprint_match.h. That is for a build
  // whose stacks lack a frame (inlined without debug information, a call that became a jump): without those of the C++
  // library, one list of functions must be the other with some left out, and the functions that allocate and free must
  // be of one family. A leak at another function is new, however like its callers are.
  void compare(std::vector<Finding>& findings) const;

 private:
  struct Entry {
    FindingKind kind = FindingKind::definite;
    std::string allocator = {}, free_function = {};
    std::vector<std::string> functions = {};
    uint64_t fingerprint = 0, blocks = 0, bytes = 0;
  };

  void join_entries();

  std::vector<Entry> entries_;  // by kind, fingerprint, allocator and freeing function
};

// The text of a file with the findings that count. Reachable ones only with `with_reachable`: there are many, and most
// gates do not ask for them.
std::string baseline_text(const std::vector<Finding>& findings, bool with_reachable);

}  // namespace memprof
