// Stacks of the trace as source frames. Looks up only what is asked for, each address once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/analysis.h"
#include "symbols/symbolizer.h"

namespace memprof {

// Raw bytes: escape before printing. The views live as long as the FrameSource.
struct Frame {
  std::string_view function;  // empty: unknown
  std::string_view file;
  uint32_t line = 0;
  std::string_view module;  // path; empty: no loaded object covers the address
  uint64_t offset = 0;
  bool inlined = false;  // into the next frame
};

class FrameSource {
 public:
  FrameSource(const Trace& trace, bool use_symbols);
  ~FrameSource();

  // Innermost first. At most `limit` recorded frames, each with what was inlined into it; `more` says how many recorded
  // frames follow (counted up to StackNodes::kMaxFrames).
  std::vector<Frame> frames(StackId stack, size_t limit, size_t* more = nullptr);

  // "libfoo.so: no debug information", one line for each module that was asked about and told less than it could.
  std::vector<std::string> symbol_problems() const;

 private:
  void append(StackId node, std::vector<Frame>& out);

  const Trace& trace_;
  std::unique_ptr<Symbolizer> symbolizer_;  // null: no symbols wanted
};

}  // namespace memprof
