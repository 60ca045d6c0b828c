#include "symbols/elf_symbols.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "symbols/demangle.h"

namespace memprof {
namespace {

constexpr size_t kMaxNameBytes = 65536;

// Where the section of a symbol ends, if that section holds code.
std::optional<uint64_t> code_section_end(Elf* elf, size_t index) {
  GElf_Shdr header;
  Elf_Scn* section = elf_getscn(elf, index);
  if (section == nullptr || gelf_getshdr(section, &header) == nullptr) return std::nullopt;
  if ((header.sh_flags & SHF_EXECINSTR) == 0 || header.sh_size > UINT64_MAX - header.sh_addr) return std::nullopt;
  return header.sh_addr + header.sh_size;
}

size_t leading_underscores(const char* name) { return std::strspn(name, "_"); }

}  // namespace

void ElfSymbols::add(const ElfFile& file) {
  Elf_Scn* dynamic = nullptr;
  Elf_Scn* complete = nullptr;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(file.elf(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_SYMTAB) complete = section;
    if (header.sh_type == SHT_DYNSYM) dynamic = section;
  }
  // .symtab repeats all that .dynsym has, with versions in the names.
  if (Elf_Scn* best = complete != nullptr ? complete : dynamic) add_table(file, best);
}

void ElfSymbols::add_table(const ElfFile& file, Elf_Scn* section) {
  GElf_Shdr header;
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || gelf_getshdr(section, &header) == nullptr) return;
  const size_t entry_bytes = gelf_fsize(file.elf(), ELF_T_SYM, 1, EV_CURRENT);
  const size_t count = entry_bytes == 0 ? 0 : data->d_size / entry_bytes;

  size_t section_of_end = SHN_UNDEF;  // runs of symbols share a section
  std::optional<uint64_t> section_end;
  for (size_t i = 1; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
    const int type = GELF_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) continue;
    // Absolute and common symbols are not code; SHN_XINDEX (over 65,279 sections) no linked file has.
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE) continue;
    if (symbol.st_shndx != section_of_end) {
      section_of_end = symbol.st_shndx;
      section_end = code_section_end(file.elf(), section_of_end);
    }
    if (!section_end || symbol.st_value >= *section_end) continue;
    const char* name = elf_strptr(file.elf(), header.sh_link, symbol.st_name);
    // "$x" and "$d" mark code and data on ARM; ".L" are the assembler's own labels.
    if (name == nullptr || *name == '\0' || *name == '$' || std::strncmp(name, ".L", 2) == 0) continue;

    const uint64_t room = *section_end - symbol.st_value;
    const uint64_t size = symbol.st_size != 0 ? std::min(symbol.st_size, room) : room;
    const int binding = GELF_ST_BIND(symbol.st_info);
    pending_.push_back({symbol.st_value, symbol.st_value + size, name, binding == STB_LOCAL, binding == STB_WEAK,
                        symbol.st_size != 0});
  }
}

// Of several names for one place the one that a reader knows: malloc and not __libc_malloc, write and not __write.
bool ElfSymbols::is_worse(const Symbol& a, const Symbol& b) {
  if (a.has_size != b.has_size) return !a.has_size;
  if (a.is_local != b.is_local) return a.is_local;
  const size_t a_underscores = leading_underscores(a.name), b_underscores = leading_underscores(b.name);
  if (a_underscores != b_underscores) return a_underscores > b_underscores;
  if (a.is_weak != b.is_weak) return a.is_weak;
  const size_t a_length = std::strlen(a.name), b_length = std::strlen(b.name);
  if (a_length != b_length) return a_length > b_length;
  return std::strcmp(a.name, b.name) > 0;
}

void ElfSymbols::build() {
  std::sort(pending_.begin(), pending_.end(), [](const Symbol& a, const Symbol& b) { return a.start < b.start; });
  // A symbol without a size reaches to the next one.
  uint64_t next_start = UINT64_MAX;
  for (size_t i = pending_.size(); i-- > 0;) {
    if (i + 1 < pending_.size() && pending_[i + 1].start != pending_[i].start) next_start = pending_[i + 1].start;
    if (!pending_[i].has_size) pending_[i].end = std::min(pending_[i].end, next_start);
  }
  for (const Symbol& symbol : pending_) symbols_.add(symbol.start, symbol.end, symbol);
  pending_ = {};
  symbols_.build(is_worse);
}

std::string_view ElfSymbols::find(uint64_t virtual_address) const {
  const char* best = nullptr;
  symbols_.visit_covering(virtual_address, [&](const Symbol& symbol) {
    // A label inside a function covers by guess only; the function around it is the better name.
    if (symbol.has_size || best == nullptr) best = symbol.name;
    return symbol.has_size;
  });
  if (best == nullptr) return {};
  return without_symbol_version(std::string_view(best, strnlen(best, kMaxNameBytes)));
}

}  // namespace memprof
