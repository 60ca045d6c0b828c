// What a block's site is: the stack that allocated it, unless the analysis was asked for threads or tags.
//
// A site that is the group has its exact numbers, its own peak among them; the sum of its stacks' peaks would not be.
// Groups of whole stacks (by function, module) need no key: StackNodes::group_stacks() makes such stacks one.
#pragma once

#include "trace/stack_nodes.h"

namespace memprof {

struct SiteKeys {
  enum class By : uint8_t { stack, thread, tag };

  By by = By::stack;
  StackId first_group = 0;  // of StackNodes::add_groups()

  // `thread`: index of the allocating one.
  StackId of(StackId stack, uint16_t tag, uint32_t thread) const {
    switch (by) {
      case By::thread: return first_group + thread;
      case By::tag: return first_group + tag;
      case By::stack: break;
    }
    return stack;
  }
};

}  // namespace memprof
