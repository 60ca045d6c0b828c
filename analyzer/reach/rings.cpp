#include "reach/rings.h"

#include <algorithm>
#include <utility>

namespace memprof {

namespace {

class RingFinder {
 public:
  RingFinder(const BlockGraph& graph, const std::vector<bool>& is_wanted)
      : graph_(graph),
        is_wanted_(is_wanted),
        number_(graph.blocks().size()),
        lowest_(number_),
        is_open_(number_.size()) {}

  std::vector<std::vector<uint32_t>> run() {
    for (uint32_t block = 0; block < number_.size(); ++block)
      if (is_wanted_[block] && number_[block] == 0) walk_from(block);
    const auto is_older = [&](uint32_t a, uint32_t b) {
      const LiveBlock &one = graph_.blocks()[a], &other = graph_.blocks()[b];
      return std::pair(one.alloc_ticks, one.address) < std::pair(other.alloc_ticks, other.address);
    };
    for (std::vector<uint32_t>& ring : rings_) std::sort(ring.begin(), ring.end(), is_older);
    std::sort(rings_.begin(), rings_.end(), [&](const auto& a, const auto& b) { return is_older(a[0], b[0]); });
    return std::move(rings_);
  }

 private:
  void open(uint32_t block) {
    number_[block] = lowest_[block] = ++last_number_;
    is_open_[block] = true;
    open_.push_back(block);
    path_.emplace_back(block, 0);
  }

  void walk_from(uint32_t start) {
    open(start);
    while (!path_.empty()) {
      const uint32_t block = path_.back().first;
      const std::span<const Edge> edges = graph_.edges_of(block);
      if (path_.back().second < edges.size()) {
        const uint32_t target = edges[path_.back().second++].target();
        if (!is_wanted_[target]) continue;
        if (number_[target] == 0)
          open(target);
        else if (is_open_[target])
          lowest_[block] = std::min(lowest_[block], number_[target]);
        continue;
      }
      path_.pop_back();
      if (!path_.empty()) lowest_[path_.back().first] = std::min(lowest_[path_.back().first], lowest_[block]);
      if (lowest_[block] == number_[block]) close(block);
    }
  }

  // All that was opened since the block is one set.
  void close(uint32_t block) {
    const auto first = std::find(open_.rbegin(), open_.rend(), block).base() - 1;
    std::vector<uint32_t> members(first, open_.end());
    open_.erase(first, open_.end());
    for (const uint32_t member : members) is_open_[member] = false;
    const std::span<const Edge> edges = graph_.edges_of(block);
    const auto is_itself = [&](const Edge& edge) { return edge.target() == block; };
    if (members.size() > 1 || std::any_of(edges.begin(), edges.end(), is_itself)) rings_.push_back(std::move(members));
  }

  const BlockGraph& graph_;
  const std::vector<bool>& is_wanted_;
  std::vector<uint32_t> number_, lowest_;  // 0: not met
  std::vector<bool> is_open_;
  std::vector<uint32_t> open_;
  std::vector<std::pair<uint32_t, size_t>> path_;
  uint32_t last_number_ = 0;
  std::vector<std::vector<uint32_t>> rings_;
};

}  // namespace

std::vector<std::vector<uint32_t>> find_rings(const BlockGraph& graph, const std::vector<bool>& is_wanted) {
  return RingFinder(graph, is_wanted).run();
}

}  // namespace memprof
