#include "report/call_tree.h"

#include <algorithm>

namespace memprof {

void CallTree::add(const std::vector<PathStep>& path, uint64_t value) {
  paths_.push_back({steps_.size(), static_cast<uint32_t>(path.size()), value});
  steps_.insert(steps_.end(), path.begin(), path.end());
  total_ += value;
}

CallTree::Result CallTree::build(const FunctionPaths& paths, const Limits& limits) {
  const auto function_at = [&](const Path& path, size_t depth) { return steps_[path.begin + depth].function; };
  std::sort(paths_.begin(), paths_.end(), [&](const Path& a, const Path& b) {
    const size_t common = std::min(a.length, b.length);
    for (size_t i = 0; i < common; ++i)
      if (function_at(a, i) != function_at(b, i)) return function_at(a, i) < function_at(b, i);
    return a.length < b.length;
  });

  // Paths that begin alike are neighbours: a node is a range of them.
  struct Candidate {
    size_t first, last;
    CallTreeNode node;
  };
  Result result;
  std::vector<Candidate> waiting;  // the next to be shown is the last
  // The children of a range of paths that agree in their first `depth` functions. Shorter ones come first.
  const auto expand = [&](size_t first, size_t last, uint32_t depth, uint32_t parent) {
    while (first < last && paths_[first].length == depth) ++first;
    std::vector<Candidate> children;
    while (first < last) {
      Candidate child{first, first, {function_at(paths_[first], depth), parent, depth, 0, 0, 0}};
      for (; child.last < last && function_at(paths_[child.last], depth) == child.node.function; ++child.last) {
        const Path& path = paths_[child.last];
        child.node.value += path.value;
        if (path.length == depth + 1) child.node.self += path.value;
        child.node.times = std::max(child.node.times, steps_[path.begin + depth].times);
      }
      first = child.last;
      children.push_back(child);
    }
    std::sort(children.begin(), children.end(), [&](const Candidate& a, const Candidate& b) {
      if (a.node.value != b.node.value) return a.node.value > b.node.value;
      const PathFunction& fa = paths.function(a.node.function);
      const PathFunction& fb = paths.function(b.node.function);
      return fa.name != fb.name ? fa.name < fb.name : fa.module < fb.module;
    });
    const auto is_shown = [&](const Candidate& child) {
      return static_cast<double>(child.node.value) >= limits.min_value;
    };
    size_t shown = 0;
    if (depth < limits.max_depth)
      while (shown < children.size() && shown < limits.max_children && is_shown(children[shown])) ++shown;
    uint32_t& left_out = parent == CallTreeNode::kNoParent ? result.left_out : result.nodes[parent].left_out;
    uint64_t& left_out_value =
        parent == CallTreeNode::kNoParent ? result.left_out_value : result.nodes[parent].left_out_value;
    for (size_t i = shown; i < children.size(); ++i) {
      ++left_out;
      left_out_value += children[i].node.value;
    }
    for (size_t i = shown; i-- > 0;) waiting.push_back(children[i]);
  };

  expand(0, paths_.size(), 0, CallTreeNode::kNoParent);
  while (!waiting.empty()) {
    const Candidate next = waiting.back();
    waiting.pop_back();
    result.nodes.push_back(next.node);
    expand(next.first, next.last, next.node.depth + 1, static_cast<uint32_t>(result.nodes.size() - 1));
  }
  return result;
}

}  // namespace memprof
