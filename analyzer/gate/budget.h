// What a function or a module may have: a file with a line for each.
//
//     # comment
//     function ns::parse_*      bytes=10K blocks=20 peak=1M allocations=5000
//     module   libjson.so       allocations=100000
//
//   bytes, blocks   not freed at the end; peak: the largest sum of open bytes at any time; allocations: successful ones
// A stack counts for every line that any of its frames matches (report/name_pattern.h). Of several traces each has the
// whole budget for itself.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/analysis.h"
#include "report/frames.h"
#include "report/name_pattern.h"

namespace memprof {

struct Budget {
  bool is_of_module = false;
  NamePattern pattern = {};
  std::optional<uint64_t> bytes = {}, blocks = {}, peak = {}, allocations = {};
};

// Of a file that the user gave: what() says where, what was expected and what was found.
class GateFileError : public std::runtime_error {
 public:
  GateFileError(const std::string& file, uint32_t line, const std::string& expected, const std::string& found);
  GateFileError(const std::string& file, const std::string& why);
};

// Throws GateFileError.
std::vector<Budget> read_budgets(const std::string& path);

// The whole of a small file of the user's: throws GateFileError.
std::string read_text_file(const std::string& path);

// Keeps the sums of each budget while the trace is analysed.
class BudgetSums : public SumObserver {
 public:
  struct Sums {
    uint64_t bytes = 0, blocks = 0, peak = 0, allocations = 0;
  };

  // Of blocks of `domains`. Looks up all stacks of the trace, unless there is no budget.
  BudgetSums(const Trace& trace, const std::vector<Budget>& budgets, const DomainSet& domains, FrameSource& source);

  void changed(const SumChange& change) override;
  const std::vector<Sums>& sums() const { return sums_; }

 private:
  std::vector<std::vector<uint32_t>> budgets_of_;  // by canonical stack
  std::vector<Sums> sums_;
  const DomainSet domains_;
};

}  // namespace memprof
