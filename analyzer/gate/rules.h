// What the gate fails on: `check`'s options as they are meant.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gate/budget.h"
#include "gate/verdict.h"
#include "report/name_pattern.h"

namespace memprof {

struct Rules {
  // Kinds that fail when they are not known from the baseline.
  std::set<FindingKind> fail_on = {FindingKind::definite, FindingKind::mismatched_free};
  // Reachable blocks fail only where the baseline has fewer: what is in use at the end is no defect.
  bool fail_on_reachable_growth = false;
  bool fail_on_stale = false;

  // Leaked: definite and indirect blocks, and possible ones where those fail. In total, and of one site.
  std::optional<uint64_t> max_leaked_bytes, max_leaked_blocks;
  std::optional<uint64_t> max_site_leaked_bytes, max_site_leaked_blocks;
  // Of the trace that has most.
  std::optional<uint64_t> max_peak;
  // Of all traces together.
  std::optional<uint64_t> max_allocations, max_temporary;
  std::vector<Budget> budgets;

  // A finding is looked at when one of its frames is from there (a directory of sources, a file, a module), and
  // the innermost frame that is not of the language's own libraries is in none of these modules.
  std::vector<std::string> only_from;
  NamePatterns ignored_modules;

  // Only these blocks are judged: of an allocating function or a tag of the program's, of these domains (as --domain of
  // the reports). Empty: all of the heap.
  std::vector<std::string> tags;
  std::string domain;
  bool chooses_blocks() const { return !tags.empty() || !domain.empty(); }

  // The gate may pass although it did not see this.
  bool allow_incomplete = false, allow_dropped = false, allow_unclassified = false, allow_unmatched = false;
  NamePatterns allowed_unrecorded;  // programs without a trace

  bool has_leaked_limit() const {
    return max_leaked_bytes || max_leaked_blocks || max_site_leaked_bytes || max_site_leaked_blocks;
  }
  // Whether blocks must be classified for a verdict.
  bool asks_for_leaks() const;
  bool counts_as_leaked(FindingKind kind) const {
    return kind == FindingKind::definite || kind == FindingKind::indirect ||
           (kind == FindingKind::possible && fail_on.contains(FindingKind::possible));
  }
  // Whether findings of this kind may make the gate fail, scopes apart.
  bool judges(FindingKind kind) const {
    return (kind == FindingKind::reachable ? fail_on_reachable_growth : fail_on.contains(kind)) ||
           (has_leaked_limit() && counts_as_leaked(kind));
  }
};

}  // namespace memprof
