#include "report/timeline_chart.h"

#include <strings.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "report/numbers.h"

namespace memprof {

namespace {

constexpr const char* kEighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr const char* kAsciiEighths[] = {" ", ".", ".", ":", ":", "=", "=", "#", "#"};
constexpr size_t kQuarters = 4;

size_t eighths_of(double part) { return static_cast<size_t>(std::clamp(std::ceil(part * 8), 0.0, 8.0)); }

}  // namespace

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (!value || *value == '\0') continue;
    const std::string_view locale = value;
    const size_t dot = locale.find('.');
    if (dot == std::string_view::npos) return false;
    const std::string charset(locale.substr(dot + 1, locale.find('@', dot) - dot - 1));
    return ::strcasecmp(charset.c_str(), "UTF-8") == 0 || ::strcasecmp(charset.c_str(), "UTF8") == 0;
  }
  return false;
}

Charts::Charts(size_t intervals, bool utf8)
    : intervals_(intervals), width_(intervals >= kWidth ? kWidth : kWidth / intervals * intervals), utf8_(utf8) {}

size_t Charts::first_of(size_t column) const { return column * intervals_ / width_; }
size_t Charts::last_of(size_t column) const {
  return std::max(first_of(column) + 1, (column + 1) * intervals_ / width_);
}
size_t Charts::column_of(size_t interval) const {
  // The first column whose intervals end behind it.
  size_t column = interval * width_ / intervals_;
  while (column > 0 && last_of(column - 1) > interval) --column;
  while (column + 1 < width_ && last_of(column) <= interval) ++column;
  return column;
}

std::vector<std::string> Charts::area(const std::vector<ChartColumn>& columns, double top, size_t rows) const {
  std::vector<std::string> lines(rows);
  const double scale = top > 0 ? static_cast<double>(rows) / top : 0;
  for (const ChartColumn& column : columns) {
    const double max = column.max * scale, min = column.min * scale;
    for (size_t row = 0; row < rows; ++row) {
      const double floor = static_cast<double>(rows - 1 - row), ceiling = floor + 1;
      const char* cell = " ";
      if (min >= ceiling)
        cell = utf8_ ? "█" : "#";
      else if (max > floor && min < floor)
        cell = utf8_ ? "░" : ":";
      else if (max > ceiling)  // both kinds in one cell
        cell = utf8_ ? "▒" : "+";
      else if (max > floor)
        cell = (utf8_ ? kEighths : kAsciiEighths)[eighths_of(max - floor)];
      lines[row] += cell;
    }
  }
  return lines;
}

std::string Charts::row(const std::vector<std::optional<double>>& values, double top) const {
  std::string line;
  for (const std::optional<double>& value : values)
    line += (utf8_ ? kEighths : kAsciiEighths)[value && top > 0 ? eighths_of(*value / top) : 0];
  return line;
}

std::string Charts::label(const std::string& text, bool tick) const {
  const std::string padding(kLabelColumns - std::min(kLabelColumns, text.size()), ' ');
  return padding + text + (tick ? (utf8_ ? " ┤" : " +") : (utf8_ ? " │" : " |"));
}

std::string Charts::axis(const std::string& text) const {
  const std::string padding(kLabelColumns - std::min(kLabelColumns, text.size()), ' ');
  std::string line = padding + text + (utf8_ ? " └" : " +");
  size_t quarter = 1;
  for (size_t column = 0; column < width_; ++column) {
    const bool is_tick = quarter < kQuarters && column == width_ * quarter / kQuarters;
    quarter += is_tick;
    line += is_tick ? (utf8_ ? "┬" : "+") : (utf8_ ? "─" : "-");
  }
  return line;
}

std::string Charts::times(uint64_t from_ns, uint64_t to_ns) const {
  constexpr size_t kIndent = kLabelColumns + 2;
  std::string line(kIndent + width_, ' ');
  size_t end = 0;  // of what is written
  for (size_t quarter = 0; quarter <= kQuarters; ++quarter) {
    const uint64_t ns = quarter == kQuarters ? to_ns : from_ns + (to_ns - from_ns) / kQuarters * quarter;
    const std::string text = ns == 0 && quarter == 0 ? "0" : format_duration(ns);
    size_t at = kIndent + width_ * quarter / kQuarters;
    if (quarter == kQuarters) at = line.size() - std::min(line.size(), text.size());
    if (at < end || (quarter < kQuarters && at + text.size() + text.size() > line.size())) continue;
    line.replace(at, text.size(), text);
    end = at + text.size() + 1;
  }
  return line;
}

std::string Charts::pointer(size_t column, const std::string& text) const {
  constexpr size_t kIndent = kLabelColumns + 2;
  const char* arrow = utf8_ ? "▼" : "v";
  // On the left of the arrow where there is no room on the right.
  if (column + 2 + text.size() > width_ && column > text.size())
    return std::string(kIndent + column - text.size() - 1, ' ') + text + " " + arrow;
  return std::string(kIndent + column, ' ') + arrow + " " + text;
}

}  // namespace memprof
