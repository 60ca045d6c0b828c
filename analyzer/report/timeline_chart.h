// Charts of one value over time as lines of text: block characters, or ASCII where the locale is not UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memprof {

// The charset of the environment's locale, as setlocale would find it.
bool locale_is_utf8();

struct ChartColumn {
  double max = 0, min = 0;
};

class Charts {
 public:
  static constexpr size_t kLabelColumns = 11;  // "1023.99 MiB"
  static constexpr size_t kWidth = 86;

  // `intervals` >= 1. Wider than the chart: several share a column. Narrower: each takes several.
  Charts(size_t intervals, bool utf8);

  // Of the chart proper.
  size_t width() const { return width_; }
  // The intervals [first, last) of a column.
  size_t first_of(size_t column) const;
  size_t last_of(size_t column) const;
  size_t column_of(size_t interval) const;

  // Rows from the top, without label: full up to the least, shaded up to the greatest.
  std::vector<std::string> area(const std::vector<ChartColumn>& columns, double top, size_t rows) const;
  // One row; what is missing stays blank. Anything above 0 is seen.
  std::string row(const std::vector<std::optional<double>>& values, double top) const;

  // "   1.20 MiB |"; without `tick` the label belongs to no line.
  std::string label(const std::string& text, bool tick = false) const;
  // The line under an area, with a tick at each quarter, and the line of times under that.
  std::string axis(const std::string& label) const;
  std::string times(uint64_t from_ns, uint64_t to_ns) const;
  // A line that points down at a column: "v peak 12 MiB".
  std::string pointer(size_t column, const std::string& text) const;

 private:
  size_t intervals_;
  size_t width_;
  bool utf8_;
};

}  // namespace memprof
