#include "gate/suppression_lines.h"

#include <fmt/format.h>

#include <algorithm>

namespace memprof {

namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";
constexpr size_t kMostFoundBytes = 120;

std::string_view trimmed(std::string_view line) {
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin);
}

}  // namespace

bool SuppressionLines::next(std::string_view& line) {
  while (!rest_.empty()) {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    line = trimmed(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    if (!line.empty() && !line.starts_with('#')) return true;
  }
  return false;
}

std::string SuppressionLines::problem(std::string_view expected, std::string_view found) const {
  const std::string what = found.empty()                    ? "the end of the file"
                           : found.size() > kMostFoundBytes ? fmt::format("\"{}...\"", found.substr(0, kMostFoundBytes))
                                                            : fmt::format("\"{}\"", found);
  return fmt::format("{}:{}: expected {}, found {}", file_, number_, expected, what);
}

}  // namespace memprof
