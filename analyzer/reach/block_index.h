// Which live block an address lies in.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <vector>

#include "reach/live_memory.h"

namespace memprof {

class BlockIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // `blocks` are in the order of their addresses, fewer than kNone, and outlive it.
  explicit BlockIndex(const std::vector<LiveBlock>& blocks);

  // Index of the block that begins at the address or before, and ends behind it; kNone.
  uint32_t find(uint64_t address) const;

 private:
  static constexpr uint64_t kPageBytes = 4096;

  const std::vector<LiveBlock>& blocks_;
  tsl::robin_map<uint64_t, uint32_t> first_of_page_;  // of the pages in which blocks begin
};

}  // namespace memprof
