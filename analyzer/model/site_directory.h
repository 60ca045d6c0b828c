// Which site a block belongs to: one a stack, or one a group (site_keys.h). Sites are numbered in the order in which
// they are met.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <vector>

#include "trace/stack_nodes.h"

namespace memprof {

using SiteIndex = uint32_t;

class SiteDirectory {
 public:
  // `dense`: an array by stack id, fast and as large as the ids; else a hash map (domains with few events).
  SiteDirectory(const StackNodes& nodes, bool dense);

  // Of a stack or group: the number of its site, the next one when it has none yet.
  SiteIndex site_of(StackId key) {
    return key < by_key_.size() && by_key_[key] != kNone ? by_key_[key] : find_or_add(key);
  }
  // Where site_of() would find it at once, for a prefetch; any number else.
  SiteIndex peek(StackId key) const { return key < by_key_.size() ? by_key_[key] : kNone; }

 private:
  static constexpr SiteIndex kNone = UINT32_MAX;

  SiteIndex find_or_add(StackId key);

  const StackNodes* nodes_;
  std::vector<SiteIndex> by_key_;  // by raw id, filled when first met
  tsl::robin_map<StackId, SiteIndex> by_canonical_;
};

}  // namespace memprof
