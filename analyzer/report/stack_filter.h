// Which stacks have the functions, modules and files that were asked for. A stack has what any of its frames has, those
// of inlined calls included.
//
// Lazy: only nodes of the stacks that are asked about are looked up, each once. A node keeps what it and the frames
// outside it match, so a stack costs O(1) after its parents. Memory: a byte a stack node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/frames.h"
#include "report/name_pattern.h"

namespace memprof {

struct FramePatterns {
  NamePatterns functions, modules, files;
  bool is_empty() const { return functions.is_empty() && modules.is_empty() && files.is_empty(); }
};

// A function as the reports print it: "libfoo.so+0x12" where it has no name. Raw bytes.
std::string function_text(const Frame& frame);

class StackFilter {
 public:
  // `trace` outlives it.
  StackFilter(const Trace& trace, FramePatterns patterns, const SymbolOptions& symbols);

  // `stack`: an id of the trace, canonical or not; of groups (StackNodes::add_groups) it knows nothing.
  bool matches(StackId stack);

  // Words, `!` ones too, that no stack node of the trace has: misspelled. Looks at nodes only until all are found.
  struct Unknown {
    const char* option;
    std::string text;                     // as typed
    std::string word;                     // without `!`
    std::vector<std::string> candidates;  // the names that there are
  };
  std::vector<Unknown> unknown_words();

 private:
  // For each kind of name one bit of the wanted and one of the unwanted patterns.
  using Mask = uint8_t;
  static constexpr Mask kKnown = 1 << 6;

  struct Kind {
    const char* option;
    NamePatterns patterns;
    std::vector<bool> is_found_wanted, is_found_unwanted;
  };

  Mask mask_of(StackId stack);
  Mask own_mask(StackId node);
  bool has_unfound_words() const;
  std::vector<std::string> names_of(size_t kind);
  static bool match(const NamePattern& pattern, size_t kind, const Frame& frame, const std::string& function);

  const Trace& trace_;
  FrameSource source_;
  std::vector<Kind> kinds_;  // functions, modules, files
  std::vector<Mask> masks_;  // by id
};

}  // namespace memprof
