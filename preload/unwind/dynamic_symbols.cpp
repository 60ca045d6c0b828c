#include "unwind/dynamic_symbols.h"

#include <dlfcn.h>
#include <link.h>

extern "C" int _dl_find_object(void*, struct dl_find_object*) noexcept __attribute__((weak));

namespace memprof {
namespace {

// Bounds-checked by what the loader says of each address: an object's tables may lie in another segment than its code.
class Module {
 public:
  explicit Module(uintptr_t code) {
    struct dl_find_object found;
    if (!look_up(code, found)) return;
    map_ = found.dlfo_link_map;
    start_ = static_cast<const uint8_t*>(found.dlfo_map_start);
    for (const ElfW(Dyn)* entry = map_->l_ld; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
      switch (entry->d_tag) {
        case DT_SYMTAB: symbols_ = entry->d_un.d_ptr; break;
        case DT_HASH: hash_ = entry->d_un.d_ptr; break;
        case DT_GNU_HASH: gnu_hash_ = entry->d_un.d_ptr; break;
        default: break;
      }
    }
  }

  ByteRange symbols() const {
    const ByteRange segment = segment_of(symbols_);
    const auto* begin = reinterpret_cast<const uint8_t*>(symbols_);
    const uint64_t count = hash_ != 0 ? count_by_hash() : count_by_gnu_hash();
    if (!segment.holds(begin) || count > static_cast<uint64_t>(segment.end - begin) / sizeof(ElfW(Sym))) return {};
    return {begin, begin + count * sizeof(ElfW(Sym))};
  }
  // Whether all of it is code of the segment that `code` lies in. What a symbol says of its size is not trusted.
  bool holds_code(uintptr_t code, const ByteRange& range) const {
    const ByteRange headers = program_headers();
    ByteReader in(headers.begin, headers.end);
    while (in.left() >= sizeof(ElfW(Phdr))) {
      const auto segment = in.fixed<ElfW(Phdr)>();
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      const auto* begin = reinterpret_cast<const uint8_t*>(map_->l_addr + segment.p_vaddr);
      const ByteRange loaded{begin, begin + segment.p_filesz};
      if (loaded.holds(reinterpret_cast<const void*>(code))) {
        return range.begin >= loaded.begin && range.end <= loaded.end;
      }
    }
    return false;
  }
  uintptr_t address(const ElfW(Sym) & symbol) const { return map_->l_addr + symbol.st_value; }

 private:
  // Behind the ELF header, in the object's first page, as linkers put them; else none.
  ByteRange program_headers() const {
    constexpr uint64_t kPageBytes = 4096;
    if (start_ == nullptr || memcmp(start_, ELFMAG, SELFMAG) != 0) return {};
    const auto header = ByteReader(start_, start_ + kPageBytes).fixed<ElfW(Ehdr)>();
    if (header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phoff > kPageBytes) return {};
    const uint64_t bytes = uint64_t{header.e_phnum} * sizeof(ElfW(Phdr));
    if (bytes > kPageBytes - header.e_phoff) return {};
    return {start_ + header.e_phoff, start_ + header.e_phoff + bytes};
  }

  static bool look_up(uintptr_t address, struct dl_find_object& found) {
    return _dl_find_object != nullptr && _dl_find_object(reinterpret_cast<void*>(address), &found) == 0;
  }

  // Empty: the address is not this module's.
  ByteRange segment_of(uintptr_t address) const {
    struct dl_find_object found;
    if (map_ == nullptr || !look_up(address, found) || found.dlfo_link_map != map_) return {};
    return {static_cast<const uint8_t*>(found.dlfo_map_start), static_cast<const uint8_t*>(found.dlfo_map_end)};
  }
  ByteReader reader(uintptr_t address) const {
    const ByteRange segment = segment_of(address);
    return ByteReader(reinterpret_cast<const uint8_t*>(address), segment.end);
  }

  uint64_t count_by_hash() const {
    ByteReader in = reader(hash_);
    in.skip(sizeof(uint32_t));
    return in.fixed<uint32_t>();
  }

  // The symbols are in the order of their buckets; the last one of a chain has an odd hash.
  uint64_t count_by_gnu_hash() const {
    ByteReader in = reader(gnu_hash_);
    const uint32_t buckets = in.fixed<uint32_t>(), first_hashed = in.fixed<uint32_t>();
    const uint32_t filter_words = in.fixed<uint32_t>();
    in.skip(sizeof(uint32_t) + uint64_t{filter_words} * sizeof(ElfW(Addr)));
    uint32_t last = 0;
    for (uint32_t i = 0; i < buckets && in.ok(); ++i) {
      const auto first = in.fixed<uint32_t>();
      if (first > last) last = first;
    }
    if (!in.ok() || last < first_hashed) return first_hashed;
    in.skip(uint64_t{last - first_hashed} * sizeof(uint32_t));
    while (in.ok() && (in.fixed<uint32_t>() & 1) == 0) ++last;
    return in.ok() ? uint64_t{last} + 1 : 0;
  }

  const struct link_map* map_ = nullptr;
  const uint8_t* start_ = nullptr;
  uintptr_t symbols_ = 0, hash_ = 0, gnu_hash_ = 0;
};

bool is_in_memory(const ElfW(Sym) & symbol) {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS &&
         (type == STT_FUNC || type == STT_NOTYPE || type == STT_OBJECT || type == STT_GNU_IFUNC);
}

}  // namespace

bool find_function(uintptr_t code, ByteRange& out) {
  const Module module(code);
  const ByteRange table = module.symbols();
  uintptr_t begin = 0, end = 0;
  const auto each = [&](const auto& allows) {
    ByteReader in(table.begin, table.end);
    while (in.left() >= sizeof(ElfW(Sym))) {
      const auto symbol = in.fixed<ElfW(Sym)>();
      if (is_in_memory(symbol) && !allows(symbol, module.address(symbol))) return false;
    }
    return true;
  };
  const auto covers = [&](const ElfW(Sym) & symbol, uintptr_t start) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || code < start || code - start >= symbol.st_size) return true;
    const bool is_first = begin == 0, is_alias = start == begin && start + symbol.st_size == end;
    begin = start;
    end = start + symbol.st_size;
    return is_first || is_alias;
  };
  const auto is_outside = [&](const ElfW(Sym)&, uintptr_t start) { return start <= begin || start >= end; };
  if (!each(covers) || begin == 0 || !each(is_outside)) return false;
  out = {reinterpret_cast<const uint8_t*>(begin), reinterpret_cast<const uint8_t*>(end)};
  return module.holds_code(code, out);
}

}  // namespace memprof
