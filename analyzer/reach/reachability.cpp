#include "reach/reachability.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "reach/rings.h"

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
    for (const uint32_t leader : find_leaders()) lose(leader);
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

  // Of the lost blocks that no other leads to, and of the rings that none but their own lead to, the oldest each; by
  // age.
  std::vector<uint32_t> find_leaders() const {
    const size_t count = result_.of.size();
    std::vector<bool> is_lost(count), is_led_to(count);
    for (size_t i = 0; i < count; ++i) is_lost[i] = result_.of[i] == Reach::definite;
    std::vector<uint32_t> oldest(count);  // of the ring that a block is in
    std::iota(oldest.begin(), oldest.end(), 0);
    for (const std::vector<uint32_t>& ring : find_rings(graph_, is_lost))
      for (const uint32_t member : ring) oldest[member] = ring.front();
    for (uint32_t block = 0; block < count; ++block) {
      if (!is_lost[block]) continue;
      for (const Edge& edge : graph_.edges_of(block))
        if (oldest[edge.target()] != oldest[block]) is_led_to[oldest[edge.target()]] = true;
    }
    std::vector<uint32_t> leaders;
    for (uint32_t block = 0; block < count; ++block)
      if (is_lost[block] && oldest[block] == block && !is_led_to[block]) leaders.push_back(block);
    const auto& blocks = graph_.blocks();
    std::stable_sort(leaders.begin(), leaders.end(),
                     [&](uint32_t a, uint32_t b) { return blocks[a].alloc_ticks < blocks[b].alloc_ticks; });
    return leaders;
  }

  // What it leads to is lost with it, unless that is lost with an older one.
  void lose(uint32_t leader) {
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

}  // namespace

Reachability classify(const BlockGraph& graph) { return Marker(graph).run(); }

}  // namespace memprof
