#include "reach/block_index.h"

#include <algorithm>

namespace memprof {

BlockIndex::BlockIndex(const std::vector<LiveBlock>& blocks) : blocks_(blocks) {
  for (uint32_t i = 0; i < blocks.size(); ++i) first_of_page_.insert({blocks[i].address / kPageBytes, i});
}

uint32_t BlockIndex::find(uint64_t address) const {
  const auto is_before = [](uint64_t wanted, const LiveBlock& block) { return wanted < block.address; };
  size_t behind;  // the first block that begins behind the address
  if (const auto page = first_of_page_.find(address / kPageBytes); page != first_of_page_.end()) {
    behind = page->second;
    while (behind < blocks_.size() && blocks_[behind].address <= address) ++behind;
  } else {  // in a large block, or none
    behind =
        static_cast<size_t>(std::upper_bound(blocks_.begin(), blocks_.end(), address, is_before) - blocks_.begin());
  }
  if (behind == 0 || blocks_[behind - 1].end() <= address) return kNone;
  return static_cast<uint32_t>(behind - 1);
}

}  // namespace memprof
