#include "reach/block_graph.h"

#include <fmt/format.h>

#include "trace/trace_error.h"

namespace memprof {

namespace {

constexpr uint64_t kWordBytes = 8;
// Of a chunk of glibc's, the first 8 bytes may still be those of the block before.
constexpr uint64_t kChunkAlignment = 16, kChunkOverlap = 8;

std::vector<RootArea> register_areas(const SnapshotImage& image) {
  std::vector<RootArea> areas;
  for (size_t i = 0; i < image.threads.size(); ++i) areas.push_back({0, 0, RootKind::registers, i});
  return areas;
}

// A pointer to the memory behind the block, as the C library's allocator keeps them in its own data. A forked process
// that allocates nothing tells of no modules: any of them may be the C library to what was inherited.
bool is_allocator_pointer(const RootArea& area, const LiveBlock& block, uint64_t value) {
  const bool is_of_unknown = area.kind == RootKind::data && area.index == Modules::kNone && block.is_inherited;
  return (area.has_allocator_state || is_of_unknown) && value != block.address && value % kChunkAlignment == 0 &&
         block.end() - value <= kChunkOverlap;
}

}  // namespace

// Words come range by range, and in a range in the order of addresses; edges of a block stand together for that.
class BlockGraph::Builder : public SnapshotWords {
 public:
  explicit Builder(BlockGraph& graph) : graph_(graph) {}

  void word(uint64_t address, uint64_t value) override {
    const uint32_t target = graph_.index_.find(value);
    if (target == BlockIndex::kNone) return;
    const uint32_t owner = graph_.index_.find(address);
    const bool in_block = owner != BlockIndex::kNone;
    // What a block's last word has behind its end is not the block's.
    const bool is_owned = in_block && address + kWordBytes <= graph_.blocks()[owner].end();
    const RootArea* const area = graph_.roots_.find(address, in_block);
    if (area && !is_allocator_pointer(*area, graph_.blocks()[target], value))
      graph_.root_edges_.push_back({address, area, graph_.edge_to(target, value)});
    if (!is_owned) return;
    owners_.push_back(owner);
    graph_.edges_.push_back(graph_.edge_to(target, value));
  }

  // Edges by block: a stable sort by counting, as ranges need not come in order.
  void finish() {
    std::vector<uint64_t>& first = graph_.first_edge_;
    first.assign(graph_.blocks().size() + 1, 0);
    for (const uint32_t owner : owners_) ++first[owner + 1];
    for (size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
    std::vector<Edge> sorted(graph_.edges_.size(), Edge(0, false));
    std::vector<uint64_t> next(first.begin(), first.end() - 1);
    for (size_t i = 0; i < owners_.size(); ++i) sorted[next[owners_[i]]++] = graph_.edges_[i];
    graph_.edges_ = std::move(sorted);
  }

 private:
  BlockGraph& graph_;
  std::vector<uint32_t> owners_;  // of each edge so far
};

BlockGraph::BlockGraph(const Trace& trace, const SnapshotImage& image, const LiveMemory& memory)
    : image_(image),
      memory_(memory),
      index_(memory.blocks),
      roots_(trace, image, memory, index_),
      registers_(register_areas(image)) {
  if (memory.blocks.size() >= Edge::kMostBlocks)
    throw TraceError(trace.file.name(), 0, fmt::format("fewer than {} live blocks", uint32_t{Edge::kMostBlocks}),
                     fmt::format("{}", memory.blocks.size()));
  for (size_t i = 0; i < image.threads.size(); ++i) {
    for (const uint64_t value : image.threads[i].registers)
      if (const uint32_t target = index_.find(value); target != BlockIndex::kNone)
        root_edges_.push_back({0, &registers_[i], edge_to(target, value)});
  }
  Builder builder(*this);
  visit_words(trace.file, image, builder);
  builder.finish();
}

Edge BlockGraph::edge_to(uint32_t target, uint64_t value) const {
  const LiveBlock& block = memory_.blocks[target];
  return {target, value != block.address && !is_explained(block, value)};
}

bool BlockGraph::is_explained(const LiveBlock& block, uint64_t value) const {
  const uint64_t offset = value - block.address;
  if (offset == 3 * kWordBytes) {
    const uint64_t* const capacity = image_.length_at(block.address + kWordBytes);
    const uint64_t* const length = image_.length_at(block.address);
    if (capacity && length && *length <= *capacity && block.size - offset - 1 == *capacity) return true;
  }
  if (offset == kWordBytes) {
    const uint64_t* const elements = image_.length_at(block.address);
    if (elements && *elements != 0 && (block.size - offset) % *elements == 0) return true;
  }
  return value % kWordBytes == 0 && image_.holds_vtable(block.address) && image_.holds_vtable(value);
}

}  // namespace memprof
