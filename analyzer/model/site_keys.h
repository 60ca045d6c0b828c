// What a block's site is: the stack that allocated it, unless the analysis was asked for threads, for groups of tags,
// or for pairs of a group and something else.
//
// A site that is the group has its exact numbers, its own peak among them; the sum of its stacks' peaks would not be.
// Groups of whole stacks (by function, module) need no key: StackNodes::group_stacks() makes such stacks one.
#pragma once

#include <tsl/robin_map.h>

#include <functional>
#include <vector>

#include "trace/keyed_hash.h"
#include "trace/stack_nodes.h"

namespace memprof {

// Pairs that blocks have, each with an id of StackNodes::add_groups(). Only read while events are.
struct SitePairs {
  std::function<uint64_t(StackId stack, uint16_t tag, uint32_t thread)> pair_of;
  tsl::robin_map<uint64_t, StackId, KeyedHash> ids;
  StackId first = 0;  // of the ids

  // A block whose type names its pair has the id in the place of its stack.
  StackId of(StackId stack, uint16_t tag, uint32_t thread) const {
    if (stack >= first && stack < first + ids.size()) return stack;
    const auto found = ids.find(pair_of(stack, tag, thread));
    return found == ids.end() ? StackNodes::kLostStack : found->second;
  }
};

struct SiteKeys {
  enum class By : uint8_t { stack, thread, tag, pair };

  By by = By::stack;
  StackId first_group = 0;                              // of StackNodes::add_groups()
  const std::vector<uint32_t>* group_of_tag = nullptr;  // by tag, from 0; outlives every analysis
  const SitePairs* pairs = nullptr;                     // the same

  // `thread`: index of the allocating one.
  StackId of(StackId stack, uint16_t tag, uint32_t thread) const {
    switch (by) {
      case By::thread: return first_group + thread;
      case By::tag: return first_group + (*group_of_tag)[tag];
      case By::pair: return pairs->of(stack, tag, thread);
      case By::stack: break;
    }
    return stack;
  }
};

}  // namespace memprof
