// The lost blocks that one of the traces has told of: a block that a process inherited and lost, and that its parent
// lost as well, is one leak.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "reach/live_memory.h"

namespace memprof {

class ReportedBlocks {
 public:
  // `of`: the process that allocated it. False: it was there before.
  bool add(const format::FileHeader& of, const LiveBlock& block) {
    return blocks_[{of.pid, of.process_start, of.start_ticks}].insert({block.address, block.alloc_ticks}).second;
  }

 private:
  std::map<std::tuple<uint32_t, uint64_t, uint64_t>, std::set<std::pair<uint64_t, uint64_t>>> blocks_;
};

}  // namespace memprof
