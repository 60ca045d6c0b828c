#include "report/moment.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "report/nearest_word.h"
#include "report/numbers.h"

namespace memprof {

namespace {

// Not negative, and finite. The rest of the text stays.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(rest - text.data()));
  while (text.starts_with(' ')) text.remove_prefix(1);
  return value;
}

std::optional<double> unit_ns(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  if (unit == "m" || unit == "min") return 60e9;
  if (unit == "h") return 3600e9;
  return std::nullopt;
}

// "NAME#2": the name, and which of that name.
std::pair<std::string_view, size_t> split_number(std::string_view text) {
  const size_t hash = text.rfind('#');
  size_t number = 0;
  if (hash == std::string_view::npos) return {text, 1};
  const auto [rest, error] = std::from_chars(text.data() + hash + 1, text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size() || number == 0) return {text, 1};
  return {text.substr(0, hash), number};
}

constexpr size_t kMostMarksNamed = 8;

std::string marks_of(const Trace& trace) {
  std::string marks;
  size_t named = 0;
  for (const Metadata::Mark& mark : trace.metadata.marks) {
    if (named++ == kMostMarksNamed) return marks + ", ...";
    marks += fmt::format("{}{} ({})", marks.empty() ? "" : ", ", mark.name,
                         format_duration(trace.clock.ns_since_start(mark.ticks)));
  }
  return marks;
}

Moment no_such_mark(std::string_view text, const Trace& trace, uint64_t end_ns) {
  std::vector<std::string> names;
  for (const Metadata::Mark& mark : trace.metadata.marks) names.push_back(mark.name);
  return {0, fmt::format("{} is neither a time (1.5s, 200ms, 40%, start, end) nor a mark{}; {}", text,
                         did_you_mean(std::string(text), names), describe_extent(trace, end_ns))};
}

}  // namespace

std::optional<uint64_t> parse_duration_ns(std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  const auto unit = unit_ns(text);
  if (!unit || *number * *unit >= 9.2e18) return std::nullopt;
  return static_cast<uint64_t>(std::llround(*number * *unit));
}

Moment find_moment(std::string_view text, const Trace& trace, uint64_t end_ns) {
  if (text == "start") return {0, {}};
  if (text == "end") return {end_ns, {}};
  // A mark may be called "5s": marks come first.
  for (const auto& [name, number] : {std::pair(text, size_t{1}), split_number(text)}) {
    size_t seen = 0;
    for (const Metadata::Mark& mark : trace.metadata.marks)
      if (mark.name == name && ++seen == number) return {trace.clock.ns_since_start(mark.ticks), {}};
  }
  if (const auto ns = parse_duration_ns(text)) return {*ns, {}};
  std::string_view rest = text;
  if (const auto percent = take_number(rest); percent && rest == "%") {
    if (*percent > 100) return {0, fmt::format("{} is more than the whole trace, which is 100%", text)};
    return {static_cast<uint64_t>(std::llround(static_cast<double>(end_ns) * *percent / 100)), {}};
  }
  return no_such_mark(text, trace, end_ns);
}

std::string describe_extent(const Trace& trace, uint64_t end_ns) {
  const std::string marks = marks_of(trace);
  return fmt::format("the trace is {} long and has {}", format_duration(end_ns),
                     marks.empty() ? "no marks" : "the marks " + marks);
}

uint64_t end_of_trace_ns(const Trace& trace, ProgressSink* progress) {
  const format::FileHeader& header = trace.file.header();
  if (trace.file.closed_by_library() && header.end_ticks != 0) return trace.clock.ns_since_start(header.end_ticks);
  return analyse(trace, nullptr, progress).duration_ns();
}

}  // namespace memprof
