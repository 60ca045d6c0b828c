#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace memprof {

// One ELF object that the traced process had mapped, as the trace tells it. Nothing in it is trusted.
struct ModuleInfo {
  std::string path;
  std::vector<std::byte> build_id;  // empty: the trace has none
  uint64_t load_bias = 0;           // address in the process minus ELF virtual address
  uint64_t start = 0, end = 0;      // mapped range in the process; start == end: unknown
};

}  // namespace memprof
