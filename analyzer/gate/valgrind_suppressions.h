// Suppressions as valgrind writes and reads them: the manual, section 2.5, and memcheck's 4.4.
//
//   {
//      a name
//      Memcheck:Leak                        tools, with commas; Free: what freed a block is not what frees such blocks
//      match-leak-kinds: definite,possible  or all, none; without the line: all
//      fun:_Znwm                            the frames, innermost first: the allocating function itself
//      ...                                  any number of frames
//      obj:*/libfoo.so.?
//      src:bar.cpp:12
//   }
//
// A stack may go on where the suppression ends. What is for other tools or other faults is passed over.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gate/suppressible_stack.h"
#include "gate/suppression_lines.h"
#include "gate/suppression_pattern.h"
#include "gate/verdict.h"

namespace memprof {

struct ValgrindSuppression {
  struct Location {
    enum class Kind : uint8_t { function, object, source, any_frames };
    Kind kind;
    SuppressionPattern pattern;
    std::optional<uint32_t> line = {};  // of a source
  };

  std::string name = {};
  uint32_t line = 0;  // where the name is
  std::array<bool, kFindingKinds> kinds = {};
  std::vector<Location> locations = {};

  // `stack` is of the allocation, or of the free where the finding's kind is about one.
  bool matches(FindingKind kind, const SuppressibleStack& stack) const;
};

// Those that may match a finding. Sets `problem` and stops where the text is wrong.
std::vector<ValgrindSuppression> parse_valgrind_suppressions(SuppressionLines lines, std::string& problem);

}  // namespace memprof
