#pragma once

#include <cstdint>
#include <string_view>

namespace memprof {

// One source-level frame of an address. An address whose code was inlined has several, innermost first.
// The views stay valid as long as the Symbolizer that returned them.
struct SourceFrame {
  std::string_view function = {};  // demangled; empty where unknown
  std::string_view file = {};      // as the compiler recorded it; empty where unknown
  uint32_t line = 0;               // in `file`; 0 where unknown
  std::string_view module = {};    // the path that the trace gives; the map's name for JIT code
  uint64_t offset = 0;             // ELF virtual address of the address asked for (JIT code: the address)
  bool inlined = false;            // the function was inlined into that of the next frame
  // As the linker knows the function; empty where unknown, or the same. A trace that carries its symbols has none.
  std::string_view linkage_name = {};
};

}  // namespace memprof
