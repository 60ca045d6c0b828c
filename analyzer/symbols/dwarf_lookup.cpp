#include "symbols/dwarf_lookup.h"

#include <set>

#include <dwarf.h>

namespace memprof {
namespace {

constexpr size_t kMaxInlined = 256;
constexpr int kMaxNesting = 512;

bool has_range(Dwarf_Die& die) { return dwarf_hasattr(&die, DW_AT_low_pc) || dwarf_hasattr(&die, DW_AT_ranges); }

// Appends to `chain` the inlined calls around the address, outermost first. Returns whether there was one.
bool find_inlined(Dwarf_Die& parent, uint64_t address, std::vector<Dwarf_Die>& chain, uint64_t& budget, int nesting) {
  Dwarf_Die die;
  if (nesting == 0 || chain.size() > kMaxInlined || dwarf_child(&parent, &die) != 0) return false;
  do {
    if (budget-- == 0) {
      budget = 0;
      return false;
    }
    const int tag = dwarf_tag(&die);
    if (tag == DW_TAG_inlined_subroutine && dwarf_haspc(&die, address) > 0) {
      chain.push_back(die);
      find_inlined(die, address, chain, budget, nesting - 1);
      return true;
    }
    // A block without a range of its own can still hold calls that have one.
    const bool is_block = tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
    if (is_block && (!has_range(die) || dwarf_haspc(&die, address) > 0) &&
        find_inlined(die, address, chain, budget, nesting - 1))
      return true;
  } while (dwarf_siblingof(&die, &die) == 0);
  return false;
}

const char* linkage_name(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name})
    if (const char* text = dwarf_formstring(dwarf_attr_integrate(&die, name, &attribute))) return text;
  return nullptr;
}

// A function's name stands in the entry that declares it, which others refer to.
const std::string* scope_of(DwarfUnit& unit, Dwarf_Die die) {
  for (int hops = 0; hops < 8 && !dwarf_hasattr(&die, DW_AT_name); ++hops) {
    Dwarf_Attribute attribute;
    if (dwarf_formref_die(dwarf_attr(&die, DW_AT_abstract_origin, &attribute), &die) == nullptr &&
        dwarf_formref_die(dwarf_attr(&die, DW_AT_specification, &attribute), &die) == nullptr)
      return nullptr;
  }
  // Offsets in another unit's file (.dwo, dwz) could be equal by chance.
  if (die.cu != unit.root.cu) return nullptr;
  const auto scope = unit.scopes.find(dwarf_dieoffset(&die));
  return scope == unit.scopes.end() ? nullptr : scope->second;
}

uint32_t number_attribute(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(&die, name, &attribute), &value) != 0 || value > UINT32_MAX) return 0;
  return static_cast<uint32_t>(value);
}

struct Position {
  const char* file = nullptr;
  uint32_t line = 0;
};

Position position_of_address(Dwarf_Die& unit, uint64_t address) {
  Position position;
  Dwarf_Line* line = dwarf_getsrc_die(&unit, address);
  int number = 0;
  if (line == nullptr || dwarf_lineno(line, &number) != 0) return position;
  position.file = dwarf_linesrc(line, nullptr, nullptr);
  position.line = number > 0 ? static_cast<uint32_t>(number) : 0;
  return position;
}

Position position_of_call(Dwarf_Die& unit, Dwarf_Die& inlined) {
  Position position;
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  const uint32_t index = number_attribute(inlined, DW_AT_call_file);
  if (dwarf_hasattr(&inlined, DW_AT_call_file) && dwarf_getsrcfiles(&unit, &files, &count) == 0 && index < count)
    position.file = dwarf_filesrc(files, index, nullptr, nullptr);
  position.line = number_attribute(inlined, DW_AT_call_line);
  return position;
}

// Only an absolute one helps: glibc is built with "./stdio-common", which its file names repeat.
const char* compilation_directory(DwarfUnit& unit) {
  Dwarf_Attribute attribute;
  const char* directory = dwarf_formstring(dwarf_attr(&unit.unit, DW_AT_comp_dir, &attribute));
  return directory != nullptr && *directory == '/' ? directory : nullptr;
}

void set_position(DwarfFrame& frame, DwarfUnit& unit, const Position& position) {
  frame.file = position.file;
  frame.line = position.line;
  if (frame.file != nullptr && *frame.file != '/') frame.directory = compilation_directory(unit);
}

std::vector<DwarfFrame> frames_of(DwarfUnit& unit, Dwarf_Die function, uint64_t address) {
  std::vector<Dwarf_Die> chain = {function};
  uint64_t budget = unit.max_entries;
  find_inlined(function, address, chain, budget, kMaxNesting);

  std::vector<DwarfFrame> frames;
  Position position = position_of_address(unit.unit, address);
  for (size_t i = chain.size(); i-- > 0;) {
    Dwarf_Die& die = chain[i];
    DwarfFrame frame{.linkage_name = linkage_name(die), .name = dwarf_diename(&die)};
    if (frame.linkage_name == nullptr) frame.scope = scope_of(unit, die);
    set_position(frame, unit, position);
    frame.inlined = i > 0;
    frames.push_back(frame);
    // The caller's line is where the inlined call stands.
    if (i > 0) position = position_of_call(unit.root, die);
  }
  return frames;
}

}  // namespace

std::optional<DwarfLookup> DwarfLookup::open(const ElfFile& file, const ElfFile* alternate) {
  DwarfLookup lookup;
  lookup.dwarf_.reset(dwarf_begin_elf(file.elf(), DWARF_C_READ, nullptr));
  if (lookup.dwarf_ == nullptr) return std::nullopt;
  if (alternate != nullptr) {
    lookup.alternate_.reset(dwarf_begin_elf(alternate->elf(), DWARF_C_READ, nullptr));
    if (lookup.alternate_ == nullptr) return std::nullopt;
    dwarf_setalt(lookup.dwarf_.get(), lookup.alternate_.get());
  }
  lookup.units_ = std::make_unique<UnitIndex>(lookup.dwarf_.get(), file.path());
  if (lookup.units_->empty()) return std::nullopt;
  return lookup;
}

std::vector<uint64_t> DwarfLookup::bytes_to_read(std::span<const uint64_t> virtual_addresses) const {
  std::vector<uint64_t> bytes;
  std::set<const DwarfUnit*> known;
  for (const uint64_t address : virtual_addresses) {
    const DwarfUnit* const unit = units_->likely_unit(address);
    const bool is_new = unit != nullptr && !unit->functions_are_indexed && known.insert(unit).second;
    bytes.push_back(is_new ? unit->max_entries : 0);
  }
  return bytes;
}

std::vector<DwarfFrame> DwarfLookup::find(uint64_t virtual_address) {
  std::vector<DwarfFrame> frames;
  units_->visit_covering(virtual_address, [&](DwarfUnit& unit) {
    bool found = false;
    unit.functions.visit_covering(virtual_address, [&](const Dwarf_Die& function) {
      frames = frames_of(unit, function, virtual_address);
      return found = true;
    });
    // Assembler has lines and no functions. Another unit that claims the address may know more.
    if (!found && frames.empty()) {
      const Position position = position_of_address(unit.unit, virtual_address);
      if (position.file != nullptr) set_position(frames.emplace_back(), unit, position);
    }
    return found;
  });
  return frames;
}

}  // namespace memprof
