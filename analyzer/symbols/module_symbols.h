#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tsl/robin_map.h>

#include "symbols/dwarf_lookup.h"
#include "symbols/elf_symbols.h"
#include "symbols/module_file.h"
#include "symbols/name_pool.h"
#include "symbols/source_frame.h"

namespace memprof {

// Everything about one module of the trace: its files, opened when its first address is asked for, and the frames
// found so far. One thread at a time; different modules share nothing but the debuginfod client.
class ModuleSymbols {
 public:
  enum class Detail { not_asked, none, symbols, lines };

  // All three must outlive this.
  ModuleSymbols(const ModuleInfo& module, const FileSearch& search, DebuginfodSource& debuginfod)
      : module_(module), search_(search), debuginfod_(debuginfod) {}

  // At least one frame, the same memory each time.
  std::span<const SourceFrame> resolve(uint64_t address, bool is_return_address);

  Detail detail() const { return detail_; }
  const std::string& problem() const { return files_.problem; }
  std::string debug_file() const { return files_.dwarf() != nullptr ? files_.dwarf()->path() : std::string(); }

 private:
  void open();
  bool is_code(uint64_t virtual_address) const;
  std::vector<SourceFrame> look_up(uint64_t virtual_address);
  std::string_view name_of(const DwarfFrame& frame, std::string_view symbol);
  std::string_view file_of(const DwarfFrame& frame);
  std::string_view demangled(std::string_view name);

  const ModuleInfo& module_;
  const FileSearch& search_;
  DebuginfodSource& debuginfod_;
  Detail detail_ = Detail::not_asked;

  ModuleFiles files_;
  std::optional<ElfFile> mini_debug_info_;
  ElfSymbols symbols_;                // refers to the files
  std::optional<DwarfLookup> dwarf_;  // refers to the files
  NamePool names_;
  tsl::robin_map<std::string_view, std::string_view> demangled_;  // by mangled name, kept in names_ too

  // By address, apart for plain and return addresses; values are places in frames_. No hash map: a trace chooses the
  // addresses, and could choose them for one bucket.
  std::array<std::map<uint64_t, uint32_t>, 2> known_;
  std::deque<std::vector<SourceFrame>> frames_;
};

}  // namespace memprof
