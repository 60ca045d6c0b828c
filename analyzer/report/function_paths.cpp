#include "report/function_paths.h"

#include "report/frame_text.h"
#include "report/stack_filter.h"

namespace memprof {

namespace {

// The recorder keeps no more. Every stack has a path of its own in memory, so a made-up depth would cost much.
constexpr size_t kMostFrames = 1024;

}  // namespace

FunctionPaths::FunctionPaths(const Trace& trace, FrameSource& source, std::function<bool(std::string_view)> keep,
                             const HiddenFrames& hidden)
    : trace_(trace), source_(source), keep_(std::move(keep)), hidden_(hidden), of_node_(trace.nodes.id_limit()) {}

uint32_t FunctionPaths::index_of(std::string name, std::string module, bool is_library, bool is_hidden) {
  std::string key = name;
  (key += '\0') += module;
  const auto [found, is_new] = indices_.try_emplace(std::move(key), static_cast<uint32_t>(functions_.size()));
  if (is_new) functions_.push_back({std::move(name), std::move(module), is_library, is_hidden});
  return found->second;
}

uint32_t FunctionPaths::index_of(const Frame& frame) {
  const std::string name = function_text(frame);
  const bool is_kept = keep_(name);
  return index_of(name, std::string(frame.module), is_library_plumbing(frame) && !is_kept,
                  hidden_.hides(frame) && !is_kept);
}

const FunctionPaths::Range& FunctionPaths::functions_of(StackId node) {
  Range& range = of_node_[node];
  if (range.count != 0) return range;
  range.begin = static_cast<uint32_t>(node_functions_.size());
  for (const Frame& frame : source_.frames(node, 1)) node_functions_.push_back(index_of(frame));
  range.count = static_cast<uint32_t>(node_functions_.size()) - range.begin;
  return range;
}

std::vector<uint32_t> FunctionPaths::frames_of(StackId stack) {
  std::vector<uint32_t> result;
  bool is_cut = false;
  for (const StackId node : trace_.nodes.frames(stack, kMostFrames, &is_cut)) {
    const Range range = functions_of(node);
    for (uint32_t i = 0; i < range.count; ++i) result.push_back(node_functions_[range.begin + i]);
  }
  if (trace_.nodes.root(stack) == StackRoot::none)
    result.push_back(index_of("(no stack was recorded)", {}, false, false));
  else if (is_cut || trace_.nodes.is_truncated(stack))
    result.push_back(index_of("(outer frames unknown)", {}, false, false));
  return result;
}

std::vector<PathStep> FunctionPaths::fold(std::span<const uint32_t> frames) {
  folded_in_.resize(functions_.size());
  place_.resize(functions_.size());
  ++fold_;
  std::vector<PathStep> path;
  for (const uint32_t function : frames) {
    if (folded_in_[function] == fold_) {
      ++path[place_[function]].times;
      continue;
    }
    folded_in_[function] = fold_;
    place_[function] = static_cast<uint32_t>(path.size());
    path.push_back({function, 1});
  }
  return path;
}

}  // namespace memprof
