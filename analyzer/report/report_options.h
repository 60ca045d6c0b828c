// What a reader of a report may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "report/filter_texts.h"
#include "report/groups.h"
#include "report/hidden_frames.h"
#include "report/ranking.h"
#include "report/symbol_options.h"

namespace memprof {

inline constexpr size_t kMostTimelinePoints = 100'000;

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
  std::optional<std::string> chunks_domain;  // of `chunks`, which has all domains unless told
  // What was typed; the trace's selection is made of it.
  FilterTexts filters;
  std::shared_ptr<const FilterCounts> filter_counts;  // null without filters
  HiddenFrames hidden_frames;
  // tree, diff
  std::optional<double> min_percent;
  // diff
  DiffPer per = DiffPer::nothing;
  std::optional<uint64_t> min_bytes;
  // leaks: at most one of them
  std::optional<uint64_t> older_ns;
  std::optional<std::pair<std::string, std::string>> between;  // as typed: times or marks
  bool growth = false;
  // leaks, of the graph of blocks: at most one of them
  bool retained = false, cycles = false;
  std::string who_points_at;  // as typed: an address or a function
  bool asks_graph() const { return retained || cycles || !who_points_at.empty(); }
};

}  // namespace memprof
