// Stacks of the trace as source frames. Looks up only what is asked for, each address once. What the trace carries
// itself
// (`symbolize`) wins over files.
#pragma once

#include <functional>
#include <memory>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/analysis.h"
#include "report/embedded_symbols.h"
#include "report/symbol_options.h"
#include "symbols/symbolizer.h"

namespace memprof {

// Raw bytes: escape before printing. The views live as long as the FrameSource.
struct Frame {
  std::string_view function;  // empty: unknown
  std::string_view file;
  uint32_t line = 0;
  std::string_view module;  // path; empty: no loaded object covers the address
  uint64_t offset = 0;
  bool inlined = false;                // into the next frame
  std::string_view linkage_name = {};  // see SourceFrame
};

class FrameSource {
 public:
  FrameSource(const Trace& trace, const SymbolOptions& options);
  ~FrameSource();

  // Looks up at once, by several threads, what frames() will be asked for. Nothing depends on it but the time.
  void prepare(std::span<const StackId> stacks, size_t limit = StackNodes::kMaxFrames);
  // The stacks that `stack_of` (a member will do) finds in the elements of a range.
  template <std::ranges::input_range Range, class StackOf>
  void prepare_each(const Range& range, StackOf stack_of, size_t limit = StackNodes::kMaxFrames) {
    std::vector<StackId> stacks;
    for (const auto& element : range) stacks.push_back(std::invoke(stack_of, element));
    prepare(stacks, limit);
  }
  // All stacks of the trace.
  void prepare_all();

  // Innermost first. At most `limit` recorded frames, each with what was inlined into it; `more` says how many recorded
  // frames follow (counted up to StackNodes::kMaxFrames).
  std::vector<Frame> frames(StackId stack, size_t limit, size_t* more = nullptr);

  // "libfoo.so: no debug information", one line for each module that frames() met and that told less than it could.
  std::vector<std::string> symbol_problems() const;

  // What became of each module that frames() met, in the order of the trace, and at last of code in no module.
  struct ModuleSummary {
    uint32_t module_id = 0;
    std::string path;     // of code in no module: of the map that names it, if there is one
    std::string problem;  // empty: nothing to tell
    ModuleSymbols::Detail detail = ModuleSymbols::Detail::not_asked;
    bool is_embedded = false;  // the trace told
  };
  std::vector<ModuleSummary> module_summaries() const;

  // Whether the trace itself tells of this node.
  bool is_embedded(const StackNode& node) const {
    return embedded_ && embedded_->has(node.module, {node.address, node.exact_address});
  }

 private:
  // Where a node's symbols are to be looked for.
  struct Place {
    bool can_resolve;
    uint32_t index;  // of the module, or Symbolizer::kNoModule
    uint64_t bias;
    std::string_view path;
  };
  Place place_of(const StackNode& node) const;
  void prepare_nodes(const std::vector<StackId>& nodes);
  void append(StackId node, std::vector<Frame>& out);

  const Trace& trace_;
  // Null: no symbols wanted.
  std::unique_ptr<EmbeddedSymbols> embedded_;
  std::unique_ptr<Symbolizer> symbolizer_;
  std::set<uint32_t> met_;  // indices of modules, kNoModule last
};

}  // namespace memprof
