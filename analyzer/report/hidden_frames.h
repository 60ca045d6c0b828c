// Frames that stacks do not show: --hide-frames. Nothing else changes: groups and fingerprints have them.
//
// A pattern is one of functions, or behind `module:` one of modules. A frame that matches a pattern without `!` is
// hidden, unless one with `!` matches it too; with none but `!` patterns, all that match none are hidden.
#pragma once

#include <string>
#include <vector>

#include "report/frames.h"
#include "report/name_pattern.h"

namespace memprof {

class HiddenFrames {
 public:
  HiddenFrames() = default;
  // What is no pattern sets `problem`, and hides nothing.
  HiddenFrames(const std::vector<std::string>& texts, std::string& problem);

  bool is_empty() const { return functions_.is_empty() && modules_.is_empty(); }
  bool hides(const Frame& frame) const;

 private:
  NamePatterns functions_, modules_;
};

struct ShownFrames {
  std::vector<Frame> frames;
  size_t hidden = 0;
};
// At most `limit` recorded frames of which something is shown, each with what was inlined into it.
ShownFrames shown_frames(FrameSource& source, StackId stack, size_t limit, const HiddenFrames& hidden);

}  // namespace memprof
