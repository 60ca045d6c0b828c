// A slow account of a history under a selection: what selection.h says, in plain maps and vectors, played anew for each
// question. It shares no code with the analyzer.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "selection_history.h"

namespace memprof::test {

enum class Fate { open, closed, orphaned };

// What a site is.
enum class SiteBy { stack, thread, tag, group };

struct Question {
  uint64_t from_ns = 0, to_ns = UINT64_MAX;
  std::optional<std::set<uint32_t>> threads;  // serials
  std::optional<std::set<uint16_t>> tags;
  std::optional<std::set<uint32_t>> stacks;  // canonical
  uint64_t least_size = 0, most_size = UINT64_MAX;
  uint64_t least_lifetime_ns = 0, most_lifetime_ns = UINT64_MAX;
  std::optional<bool> temporary;
  std::optional<Fate> state;
  std::optional<uint64_t> alive_at_ns;

  SiteBy by = SiteBy::stack;
  uint32_t first_group = 0;  // what the sites that are no stacks count from

  // `stack`: canonical.
  uint32_t site_of(uint32_t stack, uint32_t thread, uint16_t tag) const;
  std::string text() const;
};

// A visitor's call. Numbers of events count from the begin of the trace.
struct BlockCall {
  Fate fate;
  std::string domain;
  uint64_t address;
  uint64_t size, alloc_ticks, alloc_number;
  uint32_t thread;
  uint32_t stack;
  uint16_t tag;
  bool is_displaced;
  uint64_t end_ticks, end_number;
  uint32_t end_thread;
  uint16_t end_tag;
  bool is_temporary, is_mismatched;
  int orphan_kind;

  auto operator<=>(const BlockCall&) const = default;
};

struct SiteSums {
  uint64_t allocations = 0, bytes = 0, open = 0, open_bytes = 0, peak = 0, peak_ticks = 0;
  uint64_t at_peak = 0, at_peak_blocks = 0, temporary = 0, carried = 0, carried_bytes = 0;
  uint16_t tag = 0;  // of the first allocation; of those carried, the least
  bool has_other_tags = false;

  auto operator<=>(const SiteSums&) const = default;
};

struct DomainSums {
  uint64_t allocations = 0, bytes = 0, frees = 0, closed = 0, closed_bytes = 0, temporary = 0, mismatched = 0;
  uint64_t orphaned[3] = {}, filtered = 0, doubles = 0;
  uint64_t carried = 0, carried_bytes = 0, open = 0, open_bytes = 0;
  uint64_t peak = 0, peak_blocks = 0, peak_ticks = 0;
  std::vector<std::pair<uint32_t, SiteSums>> sites;  // in the order in which they are met, those carried by stack

  SiteSums& site(uint32_t stack);
  auto operator<=>(const DomainSums&) const = default;
};

struct Change {
  std::string domain;
  char kind;  // a: allocated, -: ended or a part of it, o: was open at the begin
  uint32_t thread, stack;
  uint64_t ticks, bytes, blocks;

  auto operator<=>(const Change&) const = default;
};

struct Answer {
  std::map<std::string, DomainSums> domains;  // those with anything in them
  uint64_t events = 0;
  uint64_t end_ns = 0;
  std::vector<BlockCall> calls;   // sorted
  std::vector<Change> changes;    // sorted
  std::vector<Change> played;     // the same, in their order
  std::map<uint64_t, bool> kept;  // events by their number: whole, or that a mapping ended there alone
};

Answer answer(const SelectionHistory& history, const Question& question);

}  // namespace memprof::test
