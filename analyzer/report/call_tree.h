// A tree of functions over weighted paths. Only nodes of at least a given weight are made, so the tree is as large as
// what is shown, whatever the number of stacks.
#pragma once

#include <cstdint>
#include <vector>

#include "report/function_paths.h"

namespace memprof {

struct CallTreeNode {
  static constexpr uint32_t kNoParent = UINT32_MAX;

  uint32_t function;
  uint32_t parent;        // index, lower than the node's own
  uint32_t depth;         // from 0
  uint32_t times;         // the most often that one path has it
  uint64_t value;         // of all paths through the node
  uint64_t self;          // of those that end here
  uint32_t left_out = 0;  // children that weigh too little, or are too many
  uint64_t left_out_value = 0;
};

class CallTree {
 public:
  struct Limits {
    double min_value = 0;  // of a node
    size_t max_children = SIZE_MAX;
    size_t max_depth = SIZE_MAX;
  };

  void add(const std::vector<PathStep>& path, uint64_t value);
  uint64_t total() const { return total_; }

  // Depth first, children by value, greatest first; equal ones by name. Index 0 upward are the nodes; `left_out` of
  // what lies at the top itself comes last.
  struct Result {
    std::vector<CallTreeNode> nodes;
    uint32_t left_out = 0;
    uint64_t left_out_value = 0;
  };
  Result build(const FunctionPaths& paths, const Limits& limits);

 private:
  struct Path {
    size_t begin;
    uint32_t length;
    uint64_t value;
  };

  std::vector<PathStep> steps_;
  std::vector<Path> paths_;
  uint64_t total_ = 0;
};

}  // namespace memprof
