// The suppressions that a program brings for LeakSanitizer: what its __lsan_default_suppressions() returns, read from
// the file without running it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/symbol_options.h"
#include "symbols/elf_file.h"

namespace memprof {

struct Trace;

inline constexpr std::string_view kDefaultSuppressions = "__lsan_default_suppressions";

struct EmbeddedSuppressions {
  std::string file = {};     // path of the binary
  std::string text = {};     // for Suppressions::add_embedded
  std::string problem = {};  // why there is no text though there is such a function: one line without the path
};

// Empty when there is no such function, or when it returns nothing. `debug_info`: a separate file that may have the
// symbols of a stripped binary; null if there is none.
std::optional<EmbeddedSuppressions> embedded_suppressions(const ElfFile& binary, const ElfFile* debug_info = nullptr,
                                                          std::string_view function = kDefaultSuppressions);

// Of all modules of a trace that are here in the very build that was recorded, in the order of the trace: the
// executable, then its libraries. LeakSanitizer asks only the first that the loader finds; the others' are there for
// the same reason.
std::vector<EmbeddedSuppressions> embedded_suppressions(const Trace& trace, const SymbolOptions& options);

}  // namespace memprof
