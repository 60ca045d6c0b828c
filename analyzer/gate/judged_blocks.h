// --tag, --domain: which blocks of a trace the gate judges, leaks and wrong frees, limits and budgets. Both are told by
// the tag of a block's allocation. Where a block leads to or is held by others does not depend on what is judged.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gate/rules.h"
#include "model/analysis.h"

namespace memprof {

class JudgedBlocks {
 public:
  // `trace` outlives it.
  JudgedBlocks(const Trace& trace, const Rules& rules);

  bool has(uint16_t tag) const { return has_.empty() || has_[tag]; }
  // Whether anything is left out.
  bool is_some() const { return !has_.empty(); }
  // Those whose sums limits are about; empty: the trace has none of them.
  const DomainSet& domains() const { return domains_; }
  bool has_heap() const { return domains_.has(Domains::kHeap); }
  // What the trace does not know: an option each, and what to say of it.
  struct Unknown {
    std::string what, message;
    auto operator<=>(const Unknown&) const = default;
  };
  const std::set<Unknown>& unknown() const { return unknown_; }

 private:
  std::vector<bool> has_;  // by tag; empty: all
  DomainSet domains_{Domains::kHeap};
  std::set<Unknown> unknown_;
};

// "--tag parse --domain gpu"
std::string judged_blocks_text(const Rules& rules);

}  // namespace memprof
