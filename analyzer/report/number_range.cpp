#include "report/number_range.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "report/moment.h"

namespace memprof {

namespace {

using ParseNumber = std::optional<uint64_t> (*)(std::string_view);

constexpr std::array<std::string_view, 5> kComparisons = {">=", "<=", ">", "<", "="};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string_view comparison_of(std::string_view text) {
  for (const std::string_view comparison : kComparisons)
    if (text.starts_with(comparison)) return comparison;
  return {};
}

NumberRange parse_range(std::string_view text, ParseNumber parse, const char* examples) {
  const NumberRange bad{0, 0, fmt::format("{} is none of {}", text, examples)};
  text = trimmed(text);
  const std::string_view comparison = comparison_of(text);
  NumberRange range;
  if (const size_t dots = text.find(".."); dots != std::string_view::npos && comparison.empty()) {
    const std::string_view from = trimmed(text.substr(0, dots)), to = trimmed(text.substr(dots + 2));
    const auto least = from.empty() ? std::optional<uint64_t>(0) : parse(from);
    const auto most = to.empty() ? std::optional<uint64_t>(UINT64_MAX) : parse(to);
    if (!least || !most || (from.empty() && to.empty())) return bad;
    if (*least > *most) range.problem = fmt::format("{} is empty: {} is more than {}", text, from, to);
    range.least = *least;
    range.most = *most;
    return range;
  }
  const auto number = parse(trimmed(text.substr(comparison.size())));
  if (!number) return bad;
  if (comparison == ">=") {
    range.least = *number;
  } else if (comparison == "<=") {
    range.most = *number;
  } else if (comparison == ">") {
    range.least = *number + 1;
  } else if (comparison == "<") {
    if (*number == 0) range.problem = fmt::format("nothing is {}", spaced_range(text));
    range.most = *number - 1;
  } else {
    range.least = range.most = *number;
  }
  return range;
}

// The power of 1024.
std::optional<unsigned> exponent_of(std::string_view unit) {
  constexpr std::string_view kPrefixes = "KMGT";
  if (unit.empty() || unit == "B") return 0;
  const size_t prefix = kPrefixes.find(unit[0]);
  const bool is_unit = unit.size() == 1 || unit.substr(1) == "B" || unit.substr(1) == "iB";
  if (prefix == std::string_view::npos || !is_unit) return std::nullopt;
  return static_cast<unsigned>(prefix + 1);
}

}  // namespace

std::optional<uint64_t> parse_bytes(std::string_view text) {
  const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789."));
  const auto exponent = exponent_of(trimmed(text.substr(digits.size())));
  if (digits.empty() || !exponent) return std::nullopt;
  const uint64_t unit = uint64_t{1} << (10 * *exponent);
  constexpr uint64_t kMost = uint64_t{1} << 62;
  uint64_t whole = 0;
  const char* const end = digits.data() + digits.size();
  if (const auto [rest, error] = std::from_chars(digits.data(), end, whole); error == std::errc() && rest == end)
    return whole > kMost / unit ? std::nullopt : std::optional(whole * unit);
  double value = 0;
  const auto [rest, error] = std::from_chars(digits.data(), end, value, std::chars_format::fixed);
  value *= static_cast<double>(unit);
  if (error != std::errc() || rest != end || value > static_cast<double>(kMost)) return std::nullopt;
  return static_cast<uint64_t>(std::llround(value));
}

NumberRange parse_size_range(std::string_view text) {
  return parse_range(text, parse_bytes, ">=4096, <1K, 4K..1M, 100 (bytes; B, K, M, G)");
}

NumberRange parse_time_range(std::string_view text) {
  return parse_range(text, parse_duration_ns, ">=5s, <200ms, 1ms..2min, 0s (ns, us, ms, s, min, h)");
}

std::string spaced_range(std::string_view text) {
  text = trimmed(text);
  const std::string_view comparison = comparison_of(text);
  return fmt::format("{}{}{}", comparison, comparison.empty() ? "" : " ", trimmed(text.substr(comparison.size())));
}

}  // namespace memprof
