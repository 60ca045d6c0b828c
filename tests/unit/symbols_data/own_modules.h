#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <link.h>

#include "symbols/symbolizer.h"
#include "symbols_data/fixture.h"

namespace symbols_test {

// The modules of this process, as a trace of it would name them.
inline std::vector<memprof::ModuleInfo> own_modules() {
  std::vector<memprof::ModuleInfo> modules;
  const auto add = [](dl_phdr_info* info, size_t, void* out) {
    memprof::ModuleInfo module;
    module.path = *info->dlpi_name != '\0' ? info->dlpi_name : std::filesystem::read_symlink("/proc/self/exe").string();
    module.load_bias = info->dlpi_addr;
    module.start = UINT64_MAX;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& segment = info->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD) continue;
      module.start = std::min<uint64_t>(module.start, info->dlpi_addr + segment.p_vaddr);
      module.end = std::max<uint64_t>(module.end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
    }
    module.build_id = build_id_of(module.path);
    static_cast<std::vector<memprof::ModuleInfo>*>(out)->push_back(module);
    return 0;
  };
  dl_iterate_phdr(add, &modules);
  return modules;
}

inline uint32_t module_of(const std::vector<memprof::ModuleInfo>& modules, uint64_t address) {
  for (uint32_t i = 0; i < modules.size(); ++i)
    if (address >= modules[i].start && address < modules[i].end) return i;
  return memprof::Symbolizer::kNoModule;
}

}  // namespace symbols_test
