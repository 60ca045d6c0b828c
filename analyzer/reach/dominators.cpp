#include "reach/dominators.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace memprof {

namespace {

// Numbers in the order of a depth-first walk; 0 is the root above all blocks.
class SemiNca {
 public:
  SemiNca(const BlockGraph& graph, const Reachability& reachability) : graph_(graph) {
    const size_t count = graph.blocks().size();
    number_of_.assign(count, 0);
    vertices_.reserve(count + 1);
    vertices_.push_back(Dominators::kRoot);
    parent_.push_back(0);
    for (const RootEdge& root : graph.root_edges()) walk_from(root.edge.target());
    for (uint32_t block = 0; block < count; ++block)
      if (reachability.of[block] == Reach::definite) walk_from(block);
    first_from_root_.assign(vertices_.size(), false);
    for (const RootEdge& root : graph.root_edges()) first_from_root_[number_of_[root.edge.target()]] = true;
    for (uint32_t block = 0; block < count; ++block)
      if (reachability.of[block] == Reach::definite) first_from_root_[number_of_[block]] = true;
    reverse_edges();
    find_semidominators();
    find_dominators();
  }

  // By number.
  const std::vector<uint32_t>& vertices() const { return vertices_; }
  const std::vector<uint32_t>& dominators() const { return dominator_; }

 private:
  void walk_from(uint32_t start) {
    if (number_of_[start] != 0) return;
    number(start, 0);
    std::vector<std::pair<uint32_t, size_t>> path = {{start, 0}};
    while (!path.empty()) {
      const uint32_t block = path.back().first;
      const std::span<const Edge> edges = graph_.edges_of(block);
      if (path.back().second == edges.size()) {
        path.pop_back();
        continue;
      }
      const uint32_t target = edges[path.back().second++].target();
      if (number_of_[target] != 0) continue;
      number(target, number_of_[block]);
      path.emplace_back(target, 0);
    }
  }

  void number(uint32_t block, uint32_t parent) {
    number_of_[block] = static_cast<uint32_t>(vertices_.size());
    vertices_.push_back(block);
    parent_.push_back(parent);
  }

  void reverse_edges() {
    first_reverse_.assign(vertices_.size() + 1, 0);
    const auto visit = [&](auto&& tell) {
      for (uint32_t from = 1; from < vertices_.size(); ++from)
        for (const Edge& edge : graph_.edges_of(vertices_[from])) tell(from, number_of_[edge.target()]);
    };
    visit([&](uint32_t, uint32_t to) { ++first_reverse_[to + 1]; });
    std::partial_sum(first_reverse_.begin(), first_reverse_.end(), first_reverse_.begin());
    reverse_.resize(first_reverse_.back());
    std::vector<uint64_t> next(first_reverse_.begin(), first_reverse_.end() - 1);
    visit([&](uint32_t from, uint32_t to) { reverse_[next[to]++] = from; });
  }

  // The number with the least semidominator between `vertex` and the root of its forest, that root left out.
  uint32_t least_above(uint32_t vertex) {
    if (ancestor_[vertex] == kNone) return vertex;
    path_.clear();
    for (uint32_t at = vertex; ancestor_[ancestor_[at]] != kNone; at = ancestor_[at]) path_.push_back(at);
    for (; !path_.empty(); path_.pop_back()) {
      const uint32_t at = path_.back(), above = ancestor_[at];
      if (semi_[label_[above]] < semi_[label_[at]]) label_[at] = label_[above];
      ancestor_[at] = ancestor_[above];
    }
    return label_[vertex];
  }

  void find_semidominators() {
    const size_t count = vertices_.size();
    semi_.resize(count);
    label_.resize(count);
    std::iota(semi_.begin(), semi_.end(), 0);
    std::iota(label_.begin(), label_.end(), 0);
    ancestor_.assign(count, kNone);
    for (auto vertex = static_cast<uint32_t>(count - 1); vertex > 0; --vertex) {
      if (first_from_root_[vertex]) semi_[vertex] = 0;
      for (uint64_t i = first_reverse_[vertex]; i < first_reverse_[vertex + 1]; ++i)
        semi_[vertex] = std::min(semi_[vertex], semi_[least_above(reverse_[i])]);
      ancestor_[vertex] = parent_[vertex];
    }
  }

  void find_dominators() {
    dominator_ = parent_;
    for (uint32_t vertex = 1; vertex < vertices_.size(); ++vertex)
      while (dominator_[vertex] > semi_[vertex]) dominator_[vertex] = dominator_[dominator_[vertex]];
  }

  static constexpr uint32_t kNone = UINT32_MAX;

  const BlockGraph& graph_;
  std::vector<uint32_t> number_of_, vertices_, parent_;
  std::vector<bool> first_from_root_;  // the root leads to it directly
  std::vector<uint64_t> first_reverse_;
  std::vector<uint32_t> reverse_;
  std::vector<uint32_t> semi_, label_, ancestor_, dominator_, path_;
};

}  // namespace

Dominators::Dominators(const BlockGraph& graph, const Reachability& reachability) {
  const auto& blocks = graph.blocks();
  dominator_.assign(blocks.size(), kRoot);
  retained_bytes_.resize(blocks.size());
  retained_blocks_.assign(blocks.size(), 1);
  for (size_t i = 0; i < blocks.size(); ++i) retained_bytes_[i] = blocks[i].size;
  const SemiNca found(graph, reachability);
  const auto& vertices = found.vertices();
  // Backward: whatever a vertex dominates has a higher number.
  for (size_t number = vertices.size() - 1; number > 0; --number) {
    const uint32_t above = found.dominators()[number];
    if (above == 0) continue;
    const uint32_t block = vertices[number], outer = vertices[above];
    dominator_[block] = outer;
    retained_bytes_[outer] += retained_bytes_[block];
    retained_blocks_[outer] += retained_blocks_[block];
  }
  order_tree(vertices);
}

void Dominators::order_tree(const std::vector<uint32_t>& vertices) {
  // Children as lists, in the order of the walk.
  const size_t count = dominator_.size();
  std::vector<uint32_t> first(count + 1, kRoot), next(count, kRoot);
  for (size_t number = vertices.size() - 1; number > 0; --number) {
    const uint32_t block = vertices[number];
    const size_t outer = dominator_[block] == kRoot ? count : dominator_[block];
    next[block] = std::exchange(first[outer], block);
  }
  tree_order_.reserve(count);
  std::vector<uint32_t> pending;
  if (first[count] != kRoot) pending.push_back(first[count]);
  while (!pending.empty()) {
    const uint32_t block = pending.back();
    pending.pop_back();
    tree_order_.push_back(block);
    if (next[block] != kRoot) pending.push_back(next[block]);
    if (first[block] != kRoot) pending.push_back(first[block]);
  }
}

}  // namespace memprof
