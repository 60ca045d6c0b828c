// Which live blocks point to which, and what the roots point to.
//
// A pointer to the first byte of a block is a plain one. One into its middle may be by chance, unless one of memcheck's
// heuristics for C++ explains it (--leak-check-heuristics, all of them):
//   std::string of old      it points behind length, capacity and count, and the block is as large as they say
//   array with a length     it points behind a number of elements by which the rest of the block can be divided; so
//   does
//                           a length of 64 bits
//   multiple inheritance    where it points, and at the begin of the block, lie pointers to tables of virtual functions
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "reach/live_memory.h"
#include "reach/roots.h"
#include "reach/snapshot_image.h"

namespace memprof {

// To a block.
class Edge {
 public:
  static constexpr uint32_t kMostBlocks = uint32_t{1} << 31;

  Edge(uint32_t target, bool is_interior) : bits_(target | (is_interior ? kMostBlocks : 0)) {}
  uint32_t target() const { return bits_ & (kMostBlocks - 1); }
  // Into its middle, and no heuristic explains it.
  bool is_interior() const { return (bits_ & kMostBlocks) != 0; }

 private:
  uint32_t bits_;
};

struct RootEdge {
  uint64_t address;  // of the word; of a register, 0
  const RootArea* area;
  Edge edge;
};

class BlockGraph {
 public:
  // All outlive it. Throws TraceError when there are too many blocks.
  BlockGraph(const Trace& trace, const SnapshotImage& image, const LiveMemory& memory);
  BlockGraph(const BlockGraph&) = delete;
  BlockGraph& operator=(const BlockGraph&) = delete;

  const std::vector<LiveBlock>& blocks() const { return memory_.blocks; }
  const SnapshotImage& image() const { return image_; }
  const LiveMemory& memory() const { return memory_; }
  const BlockIndex& index() const { return index_; }
  // In the order of the words.
  std::span<const Edge> edges_of(uint32_t block) const {
    return {edges_.data() + first_edge_[block], edges_.data() + first_edge_[block + 1]};
  }
  // Registers first, then in the order of the words.
  const std::vector<RootEdge>& root_edges() const { return root_edges_; }

 private:
  class Builder;

  // `value` lies in the block.
  Edge edge_to(uint32_t block, uint64_t value) const;
  bool is_explained(const LiveBlock& block, uint64_t value) const;

  const SnapshotImage& image_;
  const LiveMemory& memory_;
  const BlockIndex index_;
  const Roots roots_;
  const std::vector<RootArea> registers_;  // one a thread of the image
  std::vector<Edge> edges_;
  std::vector<uint64_t> first_edge_;  // by block, and one more
  std::vector<RootEdge> root_edges_;
};

}  // namespace memprof
