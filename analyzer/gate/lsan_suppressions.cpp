#include "gate/lsan_suppressions.h"

#include <algorithm>
#include <string_view>

#include "report/nearest_word.h"

namespace memprof {

namespace {

constexpr std::string_view kLeak = "leak";
// RE2 would refuse what is much longer.
constexpr size_t kMostPatternBytes = 4096;

// "race", "vptr_check", "float-cast-overflow"
bool is_kind(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

bool LsanSuppression::matches(const SuppressibleStack& allocation) const {
  const auto is_in = [&](std::string_view name) { return !name.empty() && pattern.matches(name); };
  return std::any_of(allocation.frames.begin() + static_cast<std::ptrdiff_t>(allocation.last_begin),
                     allocation.frames.end(), [&](const SuppressibleFrame& frame) {
                       return std::any_of(frame.functions.begin(), frame.functions.end(), is_in) || is_in(frame.file) ||
                              is_in(frame.module);
                     });
}

std::vector<LsanSuppression> parse_lsan_suppressions(SuppressionLines lines, std::string& problem) {
  std::vector<LsanSuppression> all;
  for (std::string_view line; lines.next(line);) {
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string_view kind = line.substr(0, colon);
    const std::string_view pattern = line.substr(std::min(colon + 1, line.size()));
    const bool is_misspelled = kind != kLeak && !nearest_word(std::string(kind), {std::string(kLeak)}).empty();
    // An empty pattern would hide everything.
    if (colon == line.size() || !is_kind(kind) || is_misspelled || (kind == kLeak && pattern.empty())) {
      problem = lines.problem("leak:PATTERN", line);
      break;
    }
    if (kind != kLeak) continue;
    if (pattern.size() > kMostPatternBytes) {
      problem = lines.problem("a pattern of at most 4096 bytes", line);
      break;
    }
    all.push_back({SuppressionPattern::anywhere(pattern), lines.line_number()});
  }
  return all;
}

}  // namespace memprof
