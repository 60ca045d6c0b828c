// What would go with a block: the blocks to which every path from the roots, or from a lost block that nothing lost
// leads to, passes through it.
//
// Source of the method: the semi-NCA algorithm (Georgiadis, "Linear-Time Algorithms for Dominators and Related
// Problems", 2005), one dominator tree for all live blocks under a root of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "reach/block_graph.h"
#include "reach/reachability.h"

namespace memprof {

class Dominators {
 public:
  static constexpr uint32_t kRoot = UINT32_MAX;

  Dominators(const BlockGraph& graph, const Reachability& reachability);

  // The next block outward that this one would go with; kRoot.
  uint32_t dominator_of(uint32_t block) const { return dominator_[block]; }
  // Bytes and blocks that would go with it, itself included.
  uint64_t retained_bytes(uint32_t block) const { return retained_bytes_[block]; }
  uint32_t retained_blocks(uint32_t block) const { return retained_blocks_[block]; }

  // For every block, those that it retains between: enter(block) ... leave(block).
  template <class Enter, class Leave>
  void visit_tree(Enter&& enter, Leave&& leave) const {
    std::vector<uint32_t> open;
    for (const uint32_t block : tree_order_) {
      while (!open.empty() && open.back() != dominator_[block]) {
        leave(open.back());
        open.pop_back();
      }
      enter(block);
      open.push_back(block);
    }
    for (; !open.empty(); open.pop_back()) leave(open.back());
  }

 private:
  void order_tree(const std::vector<uint32_t>& vertices);

  std::vector<uint32_t> dominator_;
  std::vector<uint64_t> retained_bytes_;
  std::vector<uint32_t> retained_blocks_;
  std::vector<uint32_t> tree_order_;  // blocks, each behind its dominator and that one's earlier trees
};

}  // namespace memprof
