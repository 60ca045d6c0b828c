// What a reader of a report may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "report/groups.h"
#include "report/ranking.h"
#include "report/symbol_options.h"

namespace memprof {

inline constexpr size_t kMostTimelinePoints = 100'000;

enum class ChunkState { open, closed, orphaned };

enum class TreeDirection { top_down, bottom_up };
// What the numbers of `diff` are divided by.
enum class DiffPer { nothing, second, allocation };

struct ReportOptions {
  bool json = false;
  bool csv = false;
  SymbolOptions symbols;
  std::optional<size_t> top;
  std::optional<size_t> max_frames;
  std::optional<size_t> points;
  RankBy by = RankBy::open;
  GroupBy group = GroupBy::stack;
  TreeDirection direction = TreeDirection::top_down;
  std::string callers;  // of this function; empty: the whole tree
  std::string table;    // which one --csv prints; empty: the first
  std::string domain = "cpu";
  std::optional<ChunkState> state;
  // tree, diff
  std::optional<double> min_percent;
  // diff
  DiffPer per = DiffPer::nothing;
  std::optional<uint64_t> min_bytes;
  // leaks: at most one of them
  std::optional<uint64_t> older_ns;
  std::optional<std::pair<std::string, std::string>> between;  // as typed: times or marks
  bool growth = false;
};

}  // namespace memprof
