#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "symbols/elf_file.h"
#include "symbols/interval_index.h"

namespace memprof {

// The function symbols of a module: .symtab, .dynsym and the compressed .symtab in .gnu_debugdata.
// Names point into the files, which must outlive this.
class ElfSymbols {
 public:
  void add(const ElfFile& file);
  void build();  // once, after the last add

  // The best name for the code at this virtual address, without its version; empty if no symbol covers it.
  std::string_view find(uint64_t virtual_address) const;
  bool empty() const { return symbols_.empty(); }

 private:
  struct Symbol {
    uint64_t start, end;
    const char* name;
    bool is_local, is_weak;
    bool has_size;  // else `end` is that of its section, later the next symbol's start
  };
  static bool is_worse(const Symbol& a, const Symbol& b);
  void add_table(const ElfFile& file, Elf_Scn* section);

  std::vector<Symbol> pending_;
  IntervalIndex<Symbol> symbols_;
};

// The ELF image in .gnu_debugdata (symbols of local functions, packed with xz), if there is one.
std::optional<ElfFile> unpack_mini_debug_info(const ElfFile& file);

}  // namespace memprof
