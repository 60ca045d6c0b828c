#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <elfutils/libdw.h>

#include "symbols/elf_file.h"
#include "symbols/unit_index.h"

namespace memprof {

// A frame as DWARF has it; the strings belong to the DwarfLookup. nullptr: not recorded.
struct DwarfFrame {
  const char* linkage_name = nullptr;  // mangled
  const char* name = nullptr;          // as the source spells it
  const std::string* scope = nullptr;  // "ns::Class" around `name`; looked up only where linkage_name is missing
  const char* file = nullptr;
  const char* directory = nullptr;  // where the compiler ran, if `file` is relative to it
  uint32_t line = 0;
  bool inlined = false;
};

// Finds the source frames of addresses in one module. Not for two threads at a time.
class DwarfLookup {
 public:
  // Both files must outlive this. Empty if `file` has no DWARF that libdw can read.
  static std::optional<DwarfLookup> open(const ElfFile& file, const ElfFile* alternate);

  // Innermost first; the last one is the function that the code belongs to. When only the line is known, one
  // frame without names; when nothing is known, none.
  std::vector<DwarfFrame> find(uint64_t virtual_address);

  // For each of the addresses the bytes of debugging entries that must be read for it and were not for those before.
  std::vector<uint64_t> bytes_to_read(std::span<const uint64_t> virtual_addresses) const;

  // Whether some of it lies in .dwo files, which may come and go.
  bool is_split() const { return units_->is_split(); }

 private:
  struct EndDwarf {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };
  DwarfLookup() = default;

  // Destroyed from the bottom up: dwarf_ refers to alternate_.
  std::unique_ptr<Dwarf, EndDwarf> alternate_;
  std::unique_ptr<Dwarf, EndDwarf> dwarf_;
  std::unique_ptr<UnitIndex> units_;
};

}  // namespace memprof
