#include "gate/embedded_suppressions.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "gate/returned_pointer.h"
#include "model/analysis.h"
#include "symbols/debuginfod_source.h"
#include "symbols/elf_memory.h"
#include "symbols/module_file.h"

namespace memprof {

namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 20;

}  // namespace

std::optional<EmbeddedSuppressions> embedded_suppressions(const ElfFile& binary, const ElfFile* debug_info,
                                                          std::string_view name) {
  std::optional<ElfFunction> function = find_function(binary, name);
  if (!function && debug_info != nullptr) function = find_function(*debug_info, name);
  if (!function) return std::nullopt;
  EmbeddedSuppressions found{.file = binary.path()};
  const ElfMemory memory(binary);
  const std::optional<uint64_t> pointer = returned_pointer(memory, *function);
  if (!pointer) {
    found.problem = fmt::format("its suppressions are not used: {}() does more than to return a text", name);
    return found;
  }
  if (*pointer == 0) return std::nullopt;
  const std::optional<std::string_view> text = memory.text_at(*pointer, kMaxTextBytes);
  if (!text)
    found.problem = fmt::format("its suppressions are not used: {}() returns no text of the file", name);
  else if (text->empty())
    return std::nullopt;
  else
    found.text = *text;
  return found;
}

std::vector<EmbeddedSuppressions> embedded_suppressions(const Trace& trace, const SymbolOptions& options) {
  std::vector<EmbeddedSuppressions> all;
  if (!options.wanted) return all;
  DebuginfodSource no_network(false);
  std::set<std::string> seen;  // a module may be loaded more than once
  for (const Module& module : trace.modules.all()) {
    if (is_kernel_mapping(module.path) || !seen.insert(module.path).second) continue;
    const ModuleInfo info{module.path, module.build_id, module.load_bias, module.start, module.end};
    const ModuleFiles files = find_module_files(info, {}, no_network);
    if (!files.binary) continue;
    if (auto found = embedded_suppressions(*files.binary, files.debug_info ? &*files.debug_info : nullptr))
      all.push_back(std::move(*found));
  }
  return all;
}

}  // namespace memprof
