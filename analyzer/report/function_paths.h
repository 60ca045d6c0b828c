// Stacks as paths of functions, each function once: what trees are built of.
//
// Folding: a function that comes again on a path, directly or in a cycle, stays where it was met first and is counted.
// So a tree has no function below itself, and a sum over the nodes of one function has no block twice. Of a run of
// frames inside the C++ library only the outermost stays: it is what the program called.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "report/frames.h"
#include "report/hidden_frames.h"

namespace memprof {

// Raw bytes. Frames without a name are functions of their own: "libx.so+0x1204".
struct PathFunction {
  std::string name;
  std::string module;
  bool is_library;  // of the C++ library, and not kept
  bool is_hidden;   // and not kept
};

struct PathStep {
  uint32_t function;
  uint32_t times;  // on this path
};

class FunctionPaths {
 public:
  // `keep`: functions that are shown even when they are the C++ library's, or hidden.
  FunctionPaths(const Trace& trace, FrameSource& source, std::function<bool(std::string_view)> keep,
                const HiddenFrames& hidden);

  // Innermost first, every frame, nothing folded. The last may stand for frames that are not known.
  std::vector<uint32_t> frames_of(StackId stack);
  // In the order of the frames given.
  std::vector<PathStep> fold(std::span<const uint32_t> frames);

  // What is no function and equals none, to begin a path with.
  uint32_t add_group(std::string name, std::string module) {
    functions_.push_back({std::move(name), std::move(module), false, false});
    return static_cast<uint32_t>(functions_.size() - 1);
  }

  const PathFunction& function(uint32_t index) const { return functions_[index]; }
  const std::vector<PathFunction>& functions() const { return functions_; }

 private:
  struct Range {
    uint32_t begin = 0, count = 0;
  };

  const Range& functions_of(StackId node);
  uint32_t index_of(std::string name, std::string module, bool is_library, bool is_hidden);
  uint32_t index_of(const Frame& frame);

  const Trace& trace_;
  FrameSource& source_;
  std::function<bool(std::string_view)> keep_;
  const HiddenFrames hidden_;
  std::vector<PathFunction> functions_;
  std::unordered_map<std::string, uint32_t> indices_;  // by name and module
  std::vector<Range> of_node_;                         // by stack id; a node has at least one function
  std::vector<uint32_t> node_functions_;
  // Where a function is on the path that is being folded.
  std::vector<uint64_t> folded_in_;
  std::vector<uint32_t> place_;
  uint64_t fold_ = 0;
};

}  // namespace memprof
