#include "symbols/elf_memory.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

namespace memprof {

namespace {

constexpr size_t kMostSegments = 4096;

// Never reads further than the wanted name is long: a damaged file may have many names that end nowhere near.
bool has_name(const ElfFile& file, const GElf_Shdr& table, const GElf_Sym& symbol, std::string_view wanted) {
  const char* const name = elf_strptr(file.elf(), table.sh_link, symbol.st_name);
  if (name == nullptr || std::strncmp(name, wanted.data(), wanted.size()) != 0) return false;
  return name[wanted.size()] == '\0' || name[wanted.size()] == '@';  // a version
}

// Calls `visit` with each entry of the sections of these types, until it returns true.
template <class Visit>
bool visit_sections(const ElfFile& file, std::initializer_list<uint32_t> types, Visit visit) {
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(file.elf(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (std::find(types.begin(), types.end(), header.sh_type) == types.end()) continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    if (data != nullptr && visit(header, data)) return true;
  }
  return false;
}

bool is_relative(uint16_t machine, uint64_t type) {
  return machine == EM_X86_64 ? type == R_X86_64_RELATIVE : type == R_AARCH64_RELATIVE;
}

bool is_address_of_symbol(uint16_t machine, uint64_t type) {
  if (machine == EM_X86_64) return type == R_X86_64_64 || type == R_X86_64_GLOB_DAT;
  return type == R_AARCH64_ABS64 || type == R_AARCH64_GLOB_DAT;
}

}  // namespace

ElfMemory::ElfMemory(const ElfFile& file) : file_(file) {
  GElf_Ehdr header;
  if (gelf_getehdr(file.elf(), &header) == nullptr) return;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) return;
  machine_ = header.e_machine;
}

std::span<const unsigned char> ElfMemory::bytes_at(uint64_t address, size_t most) const {
  size_t file_size = 0, segments = 0;
  const char* const bytes = elf_rawfile(file_.elf(), &file_size);
  if (machine_ == EM_NONE || bytes == nullptr || elf_getphdrnum(file_.elf(), &segments) != 0) return {};
  for (size_t i = 0; i < std::min(segments, kMostSegments); ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(file_.elf(), static_cast<int>(i), &segment) == nullptr) break;
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const uint64_t skipped = address - segment.p_vaddr;
    if (skipped >= segment.p_filesz || segment.p_offset >= file_size) continue;
    const uint64_t in_file = std::min<uint64_t>(segment.p_filesz, file_size - segment.p_offset);
    if (skipped >= in_file) continue;
    const auto* const begin = reinterpret_cast<const unsigned char*>(bytes) + segment.p_offset + skipped;
    return {begin, static_cast<size_t>(std::min<uint64_t>(in_file - skipped, most))};
  }
  return {};
}

std::optional<uint64_t> ElfMemory::pointer_at(uint64_t address) const {
  std::optional<uint64_t> relocated;
  const bool is_relocated = visit_sections(file_, {SHT_RELA}, [&](const GElf_Shdr& header, Elf_Data* data) {
    GElf_Rela entry;
    for (int i = 0; gelf_getrela(data, i, &entry) != nullptr; ++i) {
      if (entry.r_offset != address) continue;
      const uint64_t type = GELF_R_TYPE(entry.r_info);
      const auto addend = static_cast<uint64_t>(entry.r_addend);
      if (is_relative(machine_, type)) {
        relocated = addend;
      } else if (is_address_of_symbol(machine_, type)) {
        Elf_Scn* const table = elf_getscn(file_.elf(), header.sh_link);
        Elf_Data* const symbols = table == nullptr ? nullptr : elf_getdata(table, nullptr);
        GElf_Sym symbol;
        if (symbols != nullptr &&
            gelf_getsym(symbols, static_cast<int>(GELF_R_SYM(entry.r_info)), &symbol) != nullptr &&
            symbol.st_shndx != SHN_UNDEF)
          relocated = symbol.st_value + addend;
      }
      return true;
    }
    return false;
  });
  if (is_relocated) return relocated;
  // No relocation, or one of those (DT_RELR) that add to what is there.
  const std::span<const unsigned char> bytes = bytes_at(address, sizeof(uint64_t));
  uint64_t value = 0;
  if (bytes.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::optional<std::string_view> ElfMemory::text_at(uint64_t address, size_t most) const {
  const std::span<const unsigned char> bytes = bytes_at(address, most);
  const auto end = std::find(bytes.begin(), bytes.end(), 0);
  if (end == bytes.end()) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(end - bytes.begin()));
}

std::optional<ElfFunction> find_function(const ElfFile& file, std::string_view name) {
  std::optional<ElfFunction> found;
  visit_sections(file, {SHT_SYMTAB, SHT_DYNSYM}, [&](const GElf_Shdr& header, Elf_Data* data) {
    GElf_Sym symbol;
    for (int i = 1; gelf_getsym(data, i, &symbol) != nullptr; ++i) {
      const int type = GELF_ST_TYPE(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_NOTYPE)) continue;
      if (!has_name(file, header, symbol, name)) continue;
      found = ElfFunction{symbol.st_value, symbol.st_size};
      return true;
    }
    return false;
  });
  return found;
}

}  // namespace memprof
