// Sources: the System V gABI, "Symbol Table" and "Hash Table"; for DT_GNU_HASH, binutils' elflink.c.
#include "allocators/module_symbols.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/syscalls.h"
#include "platform/text.h"

// No string function of libc's: the program may have its own in their place, and not be ready for them.
namespace memprof {
namespace {

constexpr uint32_t kHashStart = 5381;

uint32_t gnu_hash(uint32_t hash, const char* text) {
  for (; *text != '\0'; ++text) hash = hash * 33 + static_cast<unsigned char>(*text);
  return hash;
}
uint32_t gnu_hash(const char* prefix, const char* name) { return gnu_hash(gnu_hash(kHashStart, prefix), name); }

uint32_t sysv_hash(uint32_t hash, const char* text) {
  for (; *text != '\0'; ++text) {
    hash = (hash << 4) + static_cast<unsigned char>(*text);
    const uint32_t high = hash & 0xf0000000;
    hash = (hash ^ high >> 24) & ~high;
  }
  return hash;
}

bool is_joined(const char* text, const char* prefix, const char* name) {
  for (; *prefix != '\0'; ++prefix, ++text) {
    if (*text != *prefix) return false;
  }
  return text_equals(text, name);
}

bool starts_with(const char* text, const char* prefix) {
  while (*prefix != '\0' && *text == *prefix) ++text, ++prefix;
  return *prefix == '\0';
}

bool is_function(const ElfW(Sym) & symbol) {
  return ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0;
}

}  // namespace

// ---- ProgramFile ---------------------------------------------------------------------------------------------------

ProgramFile::ProgramFile(const char* path) {
  const long fd = sys::open_file(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat status;
  if (sys::status(static_cast<int>(fd), &status) == 0 && status.st_size > 0) {
    bytes_ = static_cast<size_t>(status.st_size);
    start_ = static_cast<const char*>(sys::map(bytes_, PROT_READ, MAP_PRIVATE, static_cast<int>(fd), 0));
  }
  sys::close_file(static_cast<int>(fd));
  find_symbol_table();
}

template <typename T>
const T* ProgramFile::part(uint64_t offset, uint64_t count) const {
  const bool lies_inside = start_ != nullptr && offset <= bytes_ && count <= (bytes_ - offset) / sizeof(T);
  return lies_inside && offset % alignof(T) == 0 ? reinterpret_cast<const T*>(start_ + offset) : nullptr;
}

void ProgramFile::find_symbol_table() {
  const auto* const header = part<ElfW(Ehdr)>(0, 1);
  if (header == nullptr || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto* const sections = part<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
  for (unsigned i = 0; sections != nullptr && i < header->e_shnum; ++i) {
    const ElfW(Shdr)& table = sections[i];
    if (table.sh_type != SHT_SYMTAB || table.sh_link >= header->e_shnum) continue;
    const ElfW(Shdr)& names = sections[table.sh_link];
    const uint64_t count = table.sh_size / sizeof(ElfW(Sym));
    symbols_ = part<ElfW(Sym)>(table.sh_offset, count);
    strings_ = part<char>(names.sh_offset, names.sh_size);
    const bool is_whole = symbols_ != nullptr && strings_ != nullptr && names.sh_size != 0;
    if (!is_whole || strings_[names.sh_size - 1] != '\0') continue;
    symbols_count_ = count;
    strings_bytes_ = names.sh_size;
    return;
  }
}

bool ProgramFile::is_ready() {
  if (entries_ != nullptr) return true;
  void* const memory = sys::map_anonymous(kMostNames * sizeof(Entry) + kPlaces * sizeof(uint16_t));
  if (memory == nullptr) return false;
  entries_ = static_cast<Entry*>(memory);
  places_ = reinterpret_cast<uint16_t*>(entries_ + kMostNames);
  return true;
}

ProgramFile::~ProgramFile() {
  if (start_ != nullptr) sys::unmap(const_cast<char*>(start_), bytes_);
  if (entries_ != nullptr) sys::unmap_anonymous(entries_, kMostNames * sizeof(Entry) + kPlaces * sizeof(uint16_t));
}

void ProgramFile::ask_for(const char* prefix, const char* name) {
  if (!is_ready() || count_ == kMostNames) return;
  const uint32_t hash = gnu_hash(prefix, name);
  uint32_t place = hash % kPlaces;
  for (; places_[place] != 0; place = (place + 1) % kPlaces) {
    const Entry& other = entries_[places_[place] - 1];
    if (other.hash == hash && other.prefix == prefix && other.name == name) return;
  }
  entries_[count_] = {prefix, name, hash, {}};
  places_[place] = static_cast<uint16_t>(++count_);
}

void ProgramFile::read(uintptr_t load_bias) {
  bool is_behind_all_files = false;
  for (uint64_t at = 0; at < symbols_count_ && count_ != 0; ++at) {
    const ElfW(Sym)& symbol = symbols_[at];
    if (symbol.st_name >= strings_bytes_) continue;
    const char* const name = strings_ + symbol.st_name;
    if (ELF64_ST_TYPE(symbol.st_info) == STT_FILE) is_behind_all_files = *name == '\0';
    if (!is_function(symbol)) continue;
    // A static function of the program's is no allocator's, whatever it is called. Hidden ones have become local:
    // linkers keep that they were hidden, or (GNU's) put them behind the static ones of all files, as of a file without
    // a name.
    const bool is_static = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL &&
                           ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT && !is_behind_all_files;
    if (starts_with(name, "Builtins_")) {
      const uintptr_t begin = load_bias + symbol.st_value, end = begin + symbol.st_size;
      if (begin < v8_builtins_.begin) v8_builtins_.begin = begin;
      if (end > v8_builtins_.end) v8_builtins_.end = end;
      has_v8_ = has_v8_ || text_equals(name, "Builtins_InterpreterEntryTrampoline");
      continue;
    }
    if (name[0] == '_' && name[1] == 'Z' && name[2] != 'n' && name[2] != 'd') continue;  // most of a C++ program's
    const uint32_t hash = gnu_hash(kHashStart, name);
    for (uint32_t place = hash % kPlaces; places_[place] != 0; place = (place + 1) % kPlaces) {
      Entry& entry = entries_[places_[place] - 1];
      if (!is_static && entry.hash == hash && is_joined(name, entry.prefix, entry.name)) {
        entry.found = {load_bias + symbol.st_value, symbol.st_size};
      }
    }
  }
}

FoundFunction ProgramFile::find(const char* prefix, const char* name) const {
  if (places_ == nullptr) return {};
  const uint32_t hash = gnu_hash(prefix, name);
  for (uint32_t place = hash % kPlaces; places_[place] != 0; place = (place + 1) % kPlaces) {
    const Entry& entry = entries_[places_[place] - 1];
    if (entry.hash == hash && text_equals(entry.prefix, prefix) && text_equals(entry.name, name)) return entry.found;
  }
  return {};
}

// ---- ModuleSymbols -------------------------------------------------------------------------------------------------

ModuleSymbols::ModuleSymbols(const dl_phdr_info& module, const ProgramFile* file) : module_(module), file_(file) {
  const ElfW(Dyn)* entry = nullptr;
  for (unsigned i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type == PT_DYNAMIC) entry = reinterpret_cast<const ElfW(Dyn)*>(module.dlpi_addr + segment.p_vaddr);
  }
  for (; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
    // The loader has made them addresses, but not in the kernel's own module.
    const ElfW(Addr) value =
        entry->d_un.d_ptr < module.dlpi_addr ? module.dlpi_addr + entry->d_un.d_ptr : entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB: symbols_ = reinterpret_cast<const ElfW(Sym)*>(value); break;
      case DT_STRTAB: strings_ = reinterpret_cast<const char*>(value); break;
      case DT_GNU_HASH: gnu_hash_ = reinterpret_cast<const uint32_t*>(value); break;
      case DT_TEXTREL: has_text_relocations_ = true; break;
      case DT_FLAGS: has_text_relocations_ = has_text_relocations_ || (entry->d_un.d_val & DF_TEXTREL) != 0; break;
      case DT_HASH: hash_ = reinterpret_cast<const uint32_t*>(value); break;
      default: break;
    }
  }
}

FoundFunction ModuleSymbols::find(const char* prefix, const char* name) const {
  const FoundFunction exported = find_exported(prefix, name);
  return exported.address == 0 && file_ != nullptr ? file_->find(prefix, name) : exported;
}

FoundFunction ModuleSymbols::find_exported(const char* prefix, const char* name) const {
  if (symbols_ == nullptr || strings_ == nullptr) return {};
  if (gnu_hash_ != nullptr) return find_by_gnu_hash(prefix, name);
  return hash_ != nullptr ? find_by_hash(prefix, name) : FoundFunction{};
}

FoundFunction ModuleSymbols::found(const ElfW(Sym) & symbol, const char* prefix, const char* name) const {
  if (!is_function(symbol) || !is_joined(strings_ + symbol.st_name, prefix, name)) return {};
  return {module_.dlpi_addr + symbol.st_value, symbol.st_size};
}

FoundFunction ModuleSymbols::find_by_gnu_hash(const char* prefix, const char* name) const {
  const uint32_t buckets = gnu_hash_[0], first_hashed = gnu_hash_[1], filter_words = gnu_hash_[2];
  const uint32_t filter_shift = gnu_hash_[3];
  if (buckets == 0 || filter_words == 0) return {};
  const auto* const filter = reinterpret_cast<const uint64_t*>(gnu_hash_ + 4);
  const auto* const bucket = reinterpret_cast<const uint32_t*>(filter + filter_words);
  const uint32_t* const chain = bucket + buckets;
  const uint32_t hash = gnu_hash(prefix, name);
  const uint64_t word = filter[hash / 64 % filter_words];
  if ((word >> hash % 64 & word >> (hash >> filter_shift) % 64 & 1) == 0) return {};
  uint32_t at = bucket[hash % buckets];
  if (at < first_hashed) return {};
  for (;; ++at) {
    const uint32_t other = chain[at - first_hashed];
    if ((other | 1) == (hash | 1)) {
      const FoundFunction function = found(symbols_[at], prefix, name);
      if (function.address != 0) return function;
    }
    if ((other & 1) != 0) return {};
  }
}

FoundFunction ModuleSymbols::find_by_hash(const char* prefix, const char* name) const {
  const uint32_t buckets = hash_[0];
  if (buckets == 0) return {};
  const uint32_t hash = sysv_hash(sysv_hash(0, prefix), name);
  for (uint32_t at = hash_[2 + hash % buckets]; at != 0; at = hash_[2 + buckets + at]) {
    const FoundFunction function = found(symbols_[at], prefix, name);
    if (function.address != 0) return function;
  }
  return {};
}

CodeSegment ModuleSymbols::code_of(uintptr_t address) const {
  for (unsigned i = 0; i < module_.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module_.dlpi_phdr[i];
    const uintptr_t begin = module_.dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || address - begin >= segment.p_filesz) continue;
    const int protection =
        ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) | PROT_EXEC;
    return {begin, begin + segment.p_filesz, protection};
  }
  return {};
}

uintptr_t ModuleSymbols::begin() const {
  uintptr_t lowest = UINTPTR_MAX;
  for (unsigned i = 0; i < module_.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module_.dlpi_phdr[i];
    const uintptr_t begin = module_.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && begin < lowest) lowest = begin;
  }
  return lowest;
}

uintptr_t ModuleSymbols::end() const {
  uintptr_t highest = 0;
  for (unsigned i = 0; i < module_.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module_.dlpi_phdr[i];
    const uintptr_t end = module_.dlpi_addr + segment.p_vaddr + segment.p_memsz;
    if (segment.p_type == PT_LOAD && end > highest) highest = end;
  }
  return highest;
}

}  // namespace memprof
