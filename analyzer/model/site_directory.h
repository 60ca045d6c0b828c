// Which site a block belongs to: one a stack, or one a group (site_keys.h). Kept by pairing; the sums of the sites are
// kept apart (sites.h), as another thread may add them up. Sites are numbered in the order in which they are met.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <vector>

#include "trace/stack_nodes.h"

namespace memprof {

using SiteIndex = uint32_t;
inline constexpr SiteIndex kNotChosen = UINT32_MAX;

class SiteDirectory {
 public:
  struct Entry {
    StackId stack;  // canonical
    uint16_t tag;   // of the first allocation
    bool has_other_tags;
  };

  // `dense`: an array by stack id, fast and as large as the ids; else a hash map (domains with few events).
  // `is_grouped`: by StackNodes::canonical(); else each stack is a site, also where `nodes` groups them.
  SiteDirectory(const StackNodes& nodes, bool dense, bool is_grouped);

  // Of an allocation that is counted.
  SiteIndex site_of(StackId stack, uint16_t tag) {
    const SiteIndex site =
        stack < by_stack_.size() && by_stack_[stack] != kNone ? by_stack_[stack] : find_or_add(stack, tag);
    if (entries_[site].tag != tag) entries_[site].has_other_tags = true;
    return site;
  }
  [[gnu::always_inline]] void prefetch(StackId stack) const {
    if (stack < by_stack_.size()) __builtin_prefetch(&by_stack_[stack]);
  }

  const Entry& operator[](SiteIndex site) const { return entries_[site]; }
  const std::vector<Entry>& all() const { return entries_; }

 private:
  static constexpr SiteIndex kNone = UINT32_MAX;

  SiteIndex find_or_add(StackId stack, uint16_t tag);

  const StackNodes* nodes_;
  bool is_grouped_;
  std::vector<Entry> entries_;
  std::vector<SiteIndex> by_stack_;  // by raw id, filled when first met
  tsl::robin_map<StackId, SiteIndex> by_canonical_;
};

}  // namespace memprof
