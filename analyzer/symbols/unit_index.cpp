#include "symbols/unit_index.h"

#include <stdlib.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <dwarf.h>

#include "symbols/elf_file.h"

namespace memprof {
namespace {

constexpr size_t kMaxRanges = 1 << 20;  // of one entry
constexpr int kMaxNesting = 256;
constexpr size_t kMaxScopeBytes = 4096;

// Adds the ranges of `die`. A range at 0 is what a linker leaves of code that it dropped.
template <class Value>
size_t add_ranges(Dwarf_Die& die, const Value& value, IntervalIndex<Value>& index) {
  Dwarf_Addr base = 0, start = 0, end = 0;
  size_t added = 0;
  ptrdiff_t next = 0;
  for (size_t i = 0; i < kMaxRanges && (next = dwarf_ranges(&die, next, &base, &start, &end)) > 0; ++i) {
    if (start == 0 || start >= end) continue;
    index.add(start, end, value);
    ++added;
  }
  return added;
}

std::string string_attribute(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  const char* text = dwarf_formstring(dwarf_attr(&die, name, &attribute));
  return text != nullptr ? text : "";
}

uint64_t unit_bytes(Dwarf_Die& root) {
  const Dwarf_Off start = dwarf_dieoffset(&root) - dwarf_cuoffset(&root);
  Dwarf_Off next = 0;
  size_t header_bytes = 0;
  const int found = dwarf_next_unit(dwarf_cu_getdwarf(root.cu), start, &next, &header_bytes, nullptr, nullptr, nullptr,
                                    nullptr, nullptr, nullptr);
  return found == 0 && next > start ? next - start : 0;
}

// Entries of these kinds may contain functions, at any depth: nested ones, and members of local classes.
bool may_hold_functions(int tag) {
  switch (tag) {
    case DW_TAG_compile_unit:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
    case DW_TAG_enumeration_type:  // Rust
    case DW_TAG_variant_part:
    case DW_TAG_variant:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
    case DW_TAG_inlined_subroutine: return true;
    default: return false;
  }
}

// Walks a unit once and notes its functions.
class FunctionCollector {
 public:
  explicit FunctionCollector(DwarfUnit& unit) : unit_(unit), budget_(unit.max_entries) {}

  void collect(Dwarf_Die& parent, const std::string* scope, int nesting_left) {
    Dwarf_Die die;
    if (nesting_left == 0 || dwarf_child(&parent, &die) != 0) return;
    do {
      if (budget_ == 0) return;
      --budget_;
      const int tag = dwarf_tag(&die);
      if (tag == DW_TAG_subprogram) {
        add_ranges(die, die, unit_.functions);
        note_scope(die, scope);
      }
      if (may_hold_functions(tag)) collect(die, scope_inside(die, tag, scope), nesting_left - 1);
    } while (dwarf_siblingof(&die, &die) == 0);
  }

 private:
  void note_scope(Dwarf_Die& function, const std::string* scope) {
    if (scope == nullptr || !dwarf_hasattr(&function, DW_AT_name)) return;
    if (dwarf_hasattr(&function, DW_AT_linkage_name) || dwarf_hasattr(&function, DW_AT_MIPS_linkage_name)) return;
    unit_.scopes.emplace(dwarf_dieoffset(&function), scope);
  }

  const std::string* scope_inside(Dwarf_Die& die, int tag, const std::string* outer) {
    std::string name;
    switch (tag) {
      case DW_TAG_namespace:
        name = string_attribute(die, DW_AT_name);
        if (name.empty()) name = "(anonymous namespace)";
        break;
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type: name = string_attribute(die, DW_AT_name); break;
      case DW_TAG_subprogram:
      case DW_TAG_inlined_subroutine: return nullptr;  // a local class; its function is not part of its name here
      default: break;
    }
    if (name.empty()) return outer;
    if (outer != nullptr) name.insert(0, *outer + "::");
    // Nested scopes of a damaged file could add up without end.
    return name.size() > kMaxScopeBytes ? outer : &unit_.scope_names.emplace_back(std::move(name));
  }

  DwarfUnit& unit_;
  uint64_t budget_;
};

// Whether libdw can be let loose on a .dwo file: it opens the name it finds without a look at what that is, and so
// it does with the dwz file that the .dwo names in turn.
bool is_safe_or_absent(const std::string& path) {
  std::string error;
  const RegularFile file = open_regular_file(path, UINT64_MAX);
  if (!file.fd) return file.error == "No such file or directory";
  struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
  };
  const std::unique_ptr<Elf, EndElf> elf(elf_begin(file.fd.get(), ELF_C_READ_MMAP, nullptr));
  size_t names = 0;
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF || elf_getshdrstrndx(elf.get(), &names) != 0) return false;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) return false;
    const char* name = elf_strptr(elf.get(), names, header.sh_name);
    if (name == nullptr || std::string_view(name) == ".gnu_debugaltlink") return false;
  }
  return true;
}

std::string directory_of_target(const std::string& path) {
  const std::unique_ptr<char, decltype(&::free)> target(::realpath(path.c_str(), nullptr), &::free);
  const std::string real = target != nullptr ? target.get() : path;
  return real.substr(0, real.rfind('/'));
}

std::string join(const std::string& directory, const std::string& path) {
  return path.starts_with('/') ? path : directory + "/" + path;
}

}  // namespace

UnitIndex::UnitIndex(Dwarf* dwarf, std::string dwarf_path) : dwarf_path_(std::move(dwarf_path)) {
  Dwarf_CU* cursor = nullptr;
  Dwarf_Die die;
  uint8_t type = 0;
  bool some_have_no_range = false;
  // No sub-entry is asked for: that would open .dwo files.
  while (dwarf_get_units(dwarf, cursor, &cursor, nullptr, &type, &die, nullptr) == 0) {
    if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
    units_.push_back(
        {.unit = die, .root = die, .max_entries = unit_bytes(die), .split_is_open = type == DW_UT_compile});
    is_split_ |= type == DW_UT_skeleton;
    some_have_no_range |= add_ranges(die, &units_.back(), index_) == 0;
  }
  if (some_have_no_range) add_address_table(dwarf);
  index_.build();
}

// For units without ranges of their own (old compilers and assemblers).
void UnitIndex::add_address_table(Dwarf* dwarf) {
  Dwarf_Aranges* table = nullptr;
  size_t count = 0;
  if (dwarf_getaranges(dwarf, &table, &count) != 0 || table == nullptr) return;
  std::map<Dwarf_Off, DwarfUnit*> by_offset;
  for (DwarfUnit& unit : units_)
    if (!dwarf_hasattr(&unit.unit, DW_AT_ranges) && !dwarf_hasattr(&unit.unit, DW_AT_low_pc))
      by_offset[dwarf_dieoffset(&unit.unit)] = &unit;
  for (size_t i = 0; i < count; ++i) {
    Dwarf_Addr start = 0;
    Dwarf_Word length = 0;
    Dwarf_Off offset = 0;
    if (dwarf_getarangeinfo(dwarf_onearange(table, i), &start, &length, &offset) != 0) continue;
    const auto unit = by_offset.find(offset);
    if (unit != by_offset.end() && start != 0 && length <= UINT64_MAX - start)
      index_.add(start, start + length, unit->second);
  }
}

void UnitIndex::open_split(DwarfUnit& unit) {
  unit.split_is_open = true;
  std::string name = string_attribute(unit.unit, DW_AT_dwo_name);
  if (name.empty()) name = string_attribute(unit.unit, DW_AT_GNU_dwo_name);
  if (name.empty()) return;
  // The two places where libdw looks.
  const std::string beside = directory_of_target(dwarf_path_);
  const std::string built = join(beside, string_attribute(unit.unit, DW_AT_comp_dir));
  if (!is_safe_or_absent(join(beside, name)) || !is_safe_or_absent(join(built, name))) return;
  Dwarf_Die split;
  if (dwarf_cu_info(unit.unit.cu, nullptr, nullptr, nullptr, &split, nullptr, nullptr, nullptr) == 0 &&
      dwarf_tag(&split) == DW_TAG_compile_unit) {
    unit.root = split;
    unit.max_entries = unit_bytes(split);
  }
}

void UnitIndex::index_functions(DwarfUnit& unit) {
  if (unit.functions_are_indexed) return;
  unit.functions_are_indexed = true;
  if (!unit.split_is_open) open_split(unit);
  FunctionCollector(unit).collect(unit.root, nullptr, kMaxNesting);
  unit.functions.build();
}

}  // namespace memprof
