// What a reader of a report may choose.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "report/groups.h"
#include "report/ranking.h"

namespace memprof {

enum class ChunkState { open, closed, orphaned };

enum class TreeDirection { top_down, bottom_up };

struct ReportOptions {
  bool json = false;
  bool csv = false;
  bool symbols = true;
  std::optional<size_t> top;
  std::optional<size_t> max_frames;
  RankBy by = RankBy::open;
  GroupBy group = GroupBy::stack;
  TreeDirection direction = TreeDirection::top_down;
  double min_percent = 1;
  std::string callers;  // of this function; empty: the whole tree
  std::string table;    // which one --csv prints; empty: the first
  std::string domain = "cpu";
  std::optional<ChunkState> state;
};

}  // namespace memprof
