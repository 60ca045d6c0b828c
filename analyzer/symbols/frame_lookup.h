#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tsl/robin_map.h>

#include "symbols/dwarf_lookup.h"
#include "symbols/elf_symbols.h"
#include "symbols/module_file.h"
#include "symbols/name_pool.h"
#include "symbols/source_frame.h"

namespace memprof {

// Looks up addresses of one module in its files. For one thread: what libelf and libdw open is not for two. Several of
// one module work side by side and find the same.
class FrameLookup {
 public:
  // Uses the handles in `files`. Both must outlive this.
  FrameLookup(const ModuleFiles& files, const ElfSymbols& symbols);
  // With handles of its own, for a further thread. Reads the debug information anew, which costs time and memory.
  static std::unique_ptr<FrameLookup> another(const ModuleFiles& files, const ElfSymbols& symbols);

  bool has_dwarf() const { return dwarf_.has_value(); }
  // See DwarfLookup. Zeros where there is none: symbols are read already.
  std::vector<uint64_t> bytes_to_read(std::span<const uint64_t> virtual_addresses) const {
    return dwarf_ ? dwarf_->bytes_to_read(virtual_addresses) : std::vector<uint64_t>(virtual_addresses.size());
  }
  bool is_split() const { return dwarf_ && dwarf_->is_split(); }

  // Innermost first, at least one; the strings belong to this. Module and offset are for the caller to set.
  std::vector<SourceFrame> find(uint64_t virtual_address);

 private:
  explicit FrameLookup(const ElfSymbols& symbols) : symbols_(symbols) {}
  std::string_view name_of(const DwarfFrame& frame, std::string_view symbol);
  // The symbol where there is a choice: glibc's DWARF has internal aliases. Empty if it is `function`.
  std::string_view linkage_name_of(const DwarfFrame& frame, std::string_view symbol, std::string_view function);
  std::string_view file_of(const DwarfFrame& frame);
  std::string_view demangled(std::string_view name);

  const ElfSymbols& symbols_;
  std::optional<ElfFile> own_file_, own_alternate_;
  std::optional<DwarfLookup> dwarf_;  // refers to them, or to the files
  NamePool names_;
  tsl::robin_map<std::string_view, std::string_view> demangled_;  // by mangled name, kept in names_ too
};

}  // namespace memprof
