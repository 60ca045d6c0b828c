#include "reach/reachability.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace memprof {

namespace {

class Marker {
 public:
  explicit Marker(const BlockGraph& graph) : graph_(graph) {
    const size_t count = graph.blocks().size();
    result_.of.assign(count, Reach::definite);
    result_.leader.resize(count);
    std::iota(result_.leader.begin(), result_.leader.end(), 0);
  }

  Reachability run() {
    for (const RootEdge& root : graph_.root_edges()) reach(root.edge, true);
    follow();
    for (const uint32_t leader : lost_by_age()) lose(leader);
    return std::move(result_);
  }

 private:
  // Marks, and keeps for follow() what it changed.
  void reach(const Edge& edge, bool from_reachable) {
    Reach& state = result_.of[edge.target()];
    const Reach found = from_reachable && !edge.is_interior() ? Reach::reachable : Reach::possible;
    if (found <= state) return;
    state = found;
    pending_.push_back(edge.target());
  }

  void follow() {
    while (!pending_.empty()) {
      const uint32_t block = pending_.back();
      pending_.pop_back();
      const bool is_reachable = result_.of[block] == Reach::reachable;
      for (const Edge& edge : graph_.edges_of(block)) reach(edge, is_reachable);
    }
  }

  std::vector<uint32_t> lost_by_age() const {
    std::vector<uint32_t> lost;
    for (uint32_t i = 0; i < result_.of.size(); ++i)
      if (result_.of[i] == Reach::definite) lost.push_back(i);
    const auto& blocks = graph_.blocks();
    std::stable_sort(lost.begin(), lost.end(),
                     [&](uint32_t a, uint32_t b) { return blocks[a].alloc_ticks < blocks[b].alloc_ticks; });
    return lost;
  }

  // What only this block leads to is lost with it; so is a leader of before, with all its own.
  void lose(uint32_t leader) {
    if (result_.of[leader] != Reach::definite) return;
    pending_.push_back(leader);
    while (!pending_.empty()) {
      const uint32_t block = pending_.back();
      pending_.pop_back();
      for (const Edge& edge : graph_.edges_of(block)) {
        const uint32_t target = edge.target();
        if (target == leader || result_.of[target] != Reach::definite) continue;
        result_.of[target] = Reach::indirect;
        result_.leader[target] = leader;
        pending_.push_back(target);
      }
    }
  }

  const BlockGraph& graph_;
  Reachability result_;
  std::vector<uint32_t> pending_;
};

// Leaders of before that were lost to a later one are no leaders: a list may be a chain of them.
void settle_leaders(std::vector<uint32_t>& leader) {
  for (uint32_t block = 0; block < leader.size(); ++block) {
    uint32_t last = block;
    while (leader[last] != last) last = leader[last];
    for (uint32_t at = block; leader[at] != last;) at = std::exchange(leader[at], last);
  }
}

}  // namespace

Reachability classify(const BlockGraph& graph) {
  Reachability result = Marker(graph).run();
  settle_leaders(result.leader);
  return result;
}

}  // namespace memprof
