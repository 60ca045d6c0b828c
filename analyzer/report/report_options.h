// What a reader of a report may choose.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "report/ranking.h"

namespace memprof {

inline constexpr size_t kMostTimelinePoints = 100'000;

enum class ChunkState { open, closed, orphaned };

struct ReportOptions {
  bool json = false;
  bool csv = false;
  bool symbols = true;
  std::optional<size_t> top;
  std::optional<size_t> max_frames;
  std::optional<size_t> points;
  RankBy by = RankBy::open;
  std::string domain = "cpu";
  std::optional<ChunkState> state;
};

}  // namespace memprof
