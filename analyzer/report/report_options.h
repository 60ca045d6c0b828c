// What a reader of a report may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "report/ranking.h"

namespace memprof {

enum class ChunkState { open, closed, orphaned };

// What the numbers of `diff` are divided by.
enum class DiffPer { nothing, second, allocation };

struct ReportOptions {
  bool json = false;
  bool csv = false;
  bool symbols = true;
  std::optional<size_t> top;
  std::optional<size_t> max_frames;
  RankBy by = RankBy::open;
  std::string domain = "cpu";
  std::optional<ChunkState> state;
  // diff
  DiffPer per = DiffPer::nothing;
  std::optional<double> min_percent;
  std::optional<uint64_t> min_bytes;
  // leaks: at most one of them
  std::optional<uint64_t> older_ns;
  std::optional<std::pair<std::string, std::string>> between;  // as typed: times or marks
  bool growth = false;
};

}  // namespace memprof
