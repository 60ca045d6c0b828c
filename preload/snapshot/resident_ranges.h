// Which parts of a mapping have memory behind them: what was never touched holds nothing, and must not be touched, as
// terabytes may be reserved.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "snapshot/memory_map.h"

namespace memprof {

class ResidentRanges {
 public:
  ResidentRanges();
  ~ResidentRanges();
  ResidentRanges(const ResidentRanges&) = delete;
  ResidentRanges& operator=(const ResidentRanges&) = delete;

  // False: the kernel does not say.
  bool good() const { return descriptor_ >= 0; }
  // visit(start, end), in the order of addresses; false when the kernel does not say.
  template <class Visit>
  bool visit(const Mapping& mapping, Visit&& visit) {
    uintptr_t at = mapping.start;
    while (at < mapping.end) {
      Range found{};
      if (!next(mapping, at, &found)) return false;
      if (found.start == found.end) break;
      visit(found.start, found.end);
      at = found.end;
    }
    return true;
  }

 private:
  struct Range {
    uintptr_t start, end;
  };
  // The first one at `from` or behind; an empty one: none.
  bool next(const Mapping& mapping, uintptr_t from, Range* out);
  bool next_by_scan(uintptr_t from, uintptr_t end, Range* out);
  bool next_by_page_map(uintptr_t from, uintptr_t end, Range* out);
  bool next_shared(uintptr_t from, uintptr_t end, Range* out);

  int descriptor_;
  bool can_scan_ = true;
};

}  // namespace memprof
