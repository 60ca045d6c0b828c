#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include <elfutils/libdw.h>
#include <tsl/robin_map.h>

#include "symbols/interval_index.h"

namespace memprof {

// A compilation unit that has code, and the functions in it once they were asked for.
struct DwarfUnit {
  Dwarf_Die unit;        // has the line table
  Dwarf_Die root;        // has the functions: the same, or the unit in the .dwo file (-gsplit-dwarf)
  uint64_t max_entries;  // more debugging entries than the unit has bytes cannot be: the file is damaged
  bool split_is_open = false;
  bool functions_are_indexed = false;
  IntervalIndex<Dwarf_Die> functions = {};

  // "std", "ns::Class": around the functions that have no linkage name to say it, by the offset of the entry that
  // has the name. The strings are in `scope_names`.
  tsl::robin_map<Dwarf_Off, const std::string*> scopes = {};
  std::deque<std::string> scope_names = {};
};

// Which units may describe an address. Built from the units' own ranges: .debug_aranges, which libdw looks into,
// is missing in clang's output. Costs one look at the head of each unit.
class UnitIndex {
 public:
  // `dwarf_path`: the file that `dwarf` was read from; .dwo files are looked for next to it.
  UnitIndex(Dwarf* dwarf, std::string dwarf_path);

  template <class Visit>
  void visit_covering(uint64_t virtual_address, Visit visit) {
    index_.visit_covering(virtual_address, [&](DwarfUnit* unit) {
      index_functions(*unit);
      return visit(*unit);
    });
  }
  // The unit that is asked first about an address, as far as it is known without reading it; nullptr: none is.
  const DwarfUnit* likely_unit(uint64_t virtual_address) const {
    const DwarfUnit* likely = nullptr;
    index_.visit_covering(virtual_address, [&](const DwarfUnit* unit) {
      likely = unit;
      return true;
    });
    return likely;
  }
  bool empty() const { return index_.empty(); }
  // Some units are but the skeletons of what lies in .dwo files.
  bool is_split() const { return is_split_; }

 private:
  void index_functions(DwarfUnit& unit);
  void open_split(DwarfUnit& unit);
  void add_address_table(Dwarf* dwarf);

  std::deque<DwarfUnit> units_;
  IntervalIndex<DwarfUnit*> index_;
  std::string dwarf_path_;
  bool is_split_ = false;
};

}  // namespace memprof
