// What a reader of a report may choose.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "report/ranking.h"

namespace memprof {

enum class ChunkState { open, closed, orphaned };

struct ReportOptions {
  bool json = false;
  bool symbols = true;
  std::optional<size_t> top;
  std::optional<size_t> max_frames;
  RankBy by = RankBy::open;
  std::string domain = "cpu";
  std::optional<ChunkState> state;
};

}  // namespace memprof
