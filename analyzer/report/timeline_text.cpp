#include <algorithm>

#include "report/domain_choice.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"
#include "report/selection_text.h"
#include "report/site_list.h"
#include "report/timeline_chart.h"
#include "report/timeline_formats.h"

namespace memprof {

namespace {

constexpr size_t kAreaRows = 8;
constexpr size_t kFramesOfSite = 3;
constexpr size_t kMostMarks = 26;

// "12.3 k", for a scale.
std::string format_rate(double per_second) {
  static constexpr const char* kUnits[] = {"", " k", " M", " G"};
  size_t unit = 0;
  while (per_second >= 999.5 && unit + 1 < std::size(kUnits)) {
    per_second /= 1000;
    ++unit;
  }
  return unit == 0 && per_second >= 9.95 ? fmt::format("{:.0f}", per_second)
                                         : fmt::format("{:.1f}{}", per_second, kUnits[unit]);
}

// A double of more than 64 bits hold would be undefined to convert.
std::string format_byte_rate(double per_second) {
  return per_second < 1.8e19 ? format_bytes(static_cast<uint64_t>(per_second)) : "> 16 EiB";
}

class TextReport {
 public:
  TextReport(const Timeline& timeline, const ReportOptions& options, Output& out)
      : timeline_(timeline),
        trace_(timeline.analysis.trace),
        options_(options),
        out_(out),
        charts_(timeline.size(), locale_is_utf8()),
        source_(trace_, options.symbols) {}

  void print() {
    const bool is_unused = is_empty();
    if (is_unused) {
      out_.print("Nothing was allocated in {} in the {} of the {}.\n", domains_text(options_.domain),
                 format_duration(timeline_.length_ns()), options_.filters.has_window() ? "window" : "trace");
      print_why_empty(out_, trace_, options_);
    } else {
      print_head();
      print_open();
      print_rates();
    }
    print_memory();
    print_marks();
    if (!is_unused) {
      if (timeline_.groups) {
        print_groups();
      } else {
        print_sites();
        print_threads();
      }
    }
    for (const std::string& problem : source_.symbol_problems())
      out_.print("symbols missing: {}\n", cut_text(problem, kTextColumns - 17));
  }

 private:
  bool is_empty() const {
    return !timeline_.account || (timeline_.account->allocations == 0 && timeline_.account->carried_chunks() == 0);
  }

  template <class Get>
  uint64_t greatest(const TimelineSeries& series, size_t column, Get get) const {
    uint64_t value = 0;
    for (size_t i = charts_.first_of(column); i < charts_.last_of(column); ++i)
      value = std::max<uint64_t>(value, get(series[i]));
    return value;
  }

  // The greatest of each column.
  template <class Get>
  std::vector<std::optional<double>> columns_of(const TimelineSeries& series, Get get) const {
    std::vector<std::optional<double>> values(charts_.width());
    for (size_t column = 0; column < values.size(); ++column)
      values[column] = static_cast<double>(greatest(series, column, get));
    return values;
  }

  void print_line(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out_.print("{}\n", line);
  }

  void print_row(const std::string& label, const std::vector<std::optional<double>>& values, double top) {
    print_line(charts_.label(label) + charts_.row(values, top));
  }

  void print_head() {
    const Sites& sites = timeline_.account->sites;
    out_.print("Open bytes of {} in {}: at most {} in {},\n{} in {} {}\n", cut_text(domains_title(options_.domain), 20),
               format_duration(timeline_.length_ns()), format_bytes(sites.peak_bytes()),
               count_of(sites.peak_chunks(), "block", "blocks"), format_bytes(sites.open_bytes()),
               count_of(sites.open_chunks(), "block", "blocks"), at_end(trace_));
    print_selection(out_, trace_, options_);
    out_.print("{} of {}; full up to the least in each, shaded up to the greatest\n\n",
               count_of(timeline_.size(), "interval", "intervals"),
               format_duration(timeline_.length_ns() / timeline_.size()));
  }

  void print_open() {
    const Sites& sites = timeline_.account->sites;
    std::vector<ChartColumn> columns(charts_.width());
    for (size_t column = 0; column < columns.size(); ++column) {
      uint64_t min = UINT64_MAX;
      for (size_t i = charts_.first_of(column); i < charts_.last_of(column); ++i)
        min = std::min(min, timeline_.total[i].min_bytes);
      columns[column].min = static_cast<double>(min);
      columns[column].max =
          static_cast<double>(greatest(timeline_.total, column, [](const auto& i) { return i.max_bytes; }));
    }
    print_line(charts_.pointer(charts_.column_of(timeline_.peak_interval),
                               fmt::format("peak {} at {}", format_bytes(sites.peak_bytes()),
                                           format_duration(trace_.clock.ns_since_start(sites.peak_ticks())))));
    const double top = static_cast<double>(sites.peak_bytes());
    const std::vector<std::string> rows = charts_.area(columns, top, kAreaRows);
    for (size_t row = 0; row < rows.size(); ++row) {
      // The scale's value is that of the row's upper edge.
      const bool has_label = row % 2 == 0;
      const uint64_t value = sites.peak_bytes() / kAreaRows * (kAreaRows - row);
      const uint64_t exact = row == 0 ? sites.peak_bytes() : value;
      print_line(charts_.label(has_label ? format_bytes(exact) : "", has_label) + rows[row]);
    }
    print_line(charts_.axis("0 B"));
    print_line(charts_.times(timeline_.from_ns, timeline_.to_ns));
    out_.print("open blocks\n");
    const auto max_chunks = [](const TimelineInterval& i) { return i.max_chunks; };
    const auto blocks = columns_of(timeline_.total, max_chunks);
    uint64_t most = 0;
    for (const TimelineInterval& interval : timeline_.total) most = std::max(most, interval.max_chunks);
    print_row(format_count(most), blocks, static_cast<double>(most));
  }

  template <class Get>
  std::vector<std::optional<double>> rates_of(Get get) const {
    std::vector<std::optional<double>> values(charts_.width());
    for (size_t column = 0; column < values.size(); ++column) {
      double rate = 0;
      for (size_t i = charts_.first_of(column); i < charts_.last_of(column); ++i)
        rate = std::max(rate, timeline_.per_second(get(timeline_.total[i]), i));
      values[column] = rate;
    }
    return values;
  }

  static double greatest_of(const std::vector<std::optional<double>>& values) {
    double top = 0;
    for (const std::optional<double>& value : values) top = std::max(top, value.value_or(0));
    return top;
  }

  void print_rates() {
    out_.print("allocations a second\n");
    const auto allocations = rates_of([](const TimelineInterval& i) { return i.allocations; });
    print_row(format_rate(greatest_of(allocations)), allocations, greatest_of(allocations));
    out_.print("bytes allocated a second\n");
    const auto bytes = rates_of([](const TimelineInterval& i) { return i.bytes_allocated; });
    print_row(format_byte_rate(greatest_of(bytes)), bytes, greatest_of(bytes));
  }

  // Of the whole process, so of no domain.
  void print_memory() {
    if (timeline_.samples.empty()) {
      out_.write(
          options_.filters.has_window() && !trace_.samples.empty()
              ? "\nNo sample of the process's memory was taken in the window.\n"
              : "\nNo samples of the process's memory: an older library, no /proc, or no system calls allowed.\n");
      return;
    }
    std::vector<std::optional<double>> resident(charts_.width());
    for (const Timeline::SamplePoint& point : timeline_.samples) {
      // Of a chart with few intervals, an interval has several columns.
      for (size_t column = charts_.column_of(point.interval);
           column < charts_.width() && charts_.first_of(column) <= point.interval; ++column) {
        std::optional<double>& value = resident[column];
        value = std::max(value.value_or(0), static_cast<double>(point.resident_bytes()));
      }
    }
    out_.print("resident memory of the process, memprof's own included; blank: no sample was taken\n");
    print_row(format_byte_rate(greatest_of(resident)), resident, greatest_of(resident));
    if (charts_.width() > 0 && is_empty()) print_line(charts_.times(timeline_.from_ns, timeline_.to_ns));
    print_memory_table();
  }

  struct MemoryRow {
    const char* name;
    uint64_t (*get)(const Timeline::SamplePoint&);
  };

  void print_memory_table() {
    static constexpr MemoryRow kRows[] = {
        {"resident", [](const auto& p) { return p.resident_bytes(); }},
        {"  of files and shared memory", [](const auto& p) { return p.sample->file_bytes; }},
        {"  dirty, private", [](const auto& p) { return p.sample->private_dirty_bytes; }},
        {"  shared with other processes",
         [](const auto& p) {
           const uint64_t clean = p.sample->shared_clean_bytes, dirty = p.sample->shared_dirty_bytes;
           return clean == format::kNotSampled || dirty == format::kNotSampled ? format::kNotSampled : clean + dirty;
         }},
        {"  referenced", [](const auto& p) { return p.sample->referenced_bytes; }},
        {"swapped out", [](const auto& p) { return p.sample->swap_bytes; }},
    };
    const auto is_detailed = [](const Timeline::SamplePoint& point) {
      return point.sample->referenced_bytes != format::kNotSampled;
    };
    const size_t detailed =
        static_cast<size_t>(std::count_if(timeline_.samples.begin(), timeline_.samples.end(), is_detailed));
    out_.print("\n{} of the process's memory, {} with dirty, shared and referenced pages\n",
               count_of(timeline_.samples.size(), "sample", "samples"),
               detailed == 0 ? "none" : format_count(detailed));
    out_.print("{:31}{:>13}{:>13}{:>13}{:>17}{:>9}\n", "", "first", "highest", "last", "highest at", "samples");
    for (const MemoryRow& row : kRows) print_memory_row(row);
  }

  void print_memory_row(const MemoryRow& row) {
    const Timeline::SamplePoint *first = nullptr, *highest = nullptr, *last = nullptr;
    size_t count = 0;
    for (const Timeline::SamplePoint& point : timeline_.samples) {
      if (row.get(point) == format::kNotSampled) continue;
      ++count;
      if (!first) first = &point;
      if (!highest || row.get(point) > row.get(*highest)) highest = &point;
      last = &point;
    }
    if (!first) return;
    out_.print("{:31}{:>13}{:>13}{:>13}{:>17}{:>9}\n", row.name, format_bytes(row.get(*first)),
               format_bytes(row.get(*highest)), format_bytes(row.get(*last)), format_duration(highest->time_ns),
               format_count(count));
  }

  void print_marks() {
    if (timeline_.marks.empty()) return;
    const size_t shown = std::min(timeline_.marks.size(), kMostMarks);
    std::string line(charts_.width(), ' ');
    for (size_t i = shown; i-- > 0;) line[charts_.column_of(timeline_.marks[i].interval)] = static_cast<char>('a' + i);
    out_.print("\nmarks\n");
    print_line(charts_.label("") + line);
    for (size_t i = 0; i < shown; ++i) {
      const Timeline::MarkPoint& mark = timeline_.marks[i];
      const std::string text = fmt::format("  {}  {:>11}  {}", static_cast<char>('a' + i),
                                           format_duration(mark.time_ns), escape_text(mark.mark->name));
      out_.print("{}\n", cut_text(text, kTextColumns));
    }
    if (timeline_.marks.size() > shown)
      out_.print("  ... {} (--json lists all)\n", count_of(timeline_.marks.size() - shown, "more mark", "more marks"));
  }

  void print_part(const TimelineSeries& series) {
    uint64_t peak = 0;
    for (const TimelineInterval& interval : series) peak = std::max(peak, interval.max_bytes);
    const auto values = columns_of(series, [](const TimelineInterval& i) { return i.max_bytes; });
    print_row(format_bytes(peak), values, static_cast<double>(peak));
  }

  std::string share_at_peak(uint64_t at_peak_bytes, uint64_t open_bytes) const {
    return fmt::format(
        "{} at the peak ({}), {} {}", format_bytes(at_peak_bytes),
        format_share(static_cast<double>(at_peak_bytes), static_cast<double>(timeline_.account->sites.peak_bytes())),
        format_bytes(open_bytes), at_end(trace_));
  }
  std::string share_at_peak(const Timeline::Part& part) const {
    return share_at_peak(part.at_peak_bytes, part.open_bytes);
  }

  void print_groups() {
    out_.print("\nBy {}, those that hold most at the peak or {}; each row has a scale of its own\n",
               group_name(options_.group), at_end(trace_));
    uint64_t at_peak = timeline_.account->sites.peak_bytes(), open = timeline_.account->open_bytes();
    for (const Timeline::Part& part : timeline_.sites) {
      const StackId site = timeline_.account->sites[part.index].stack;
      const std::string share = share_at_peak(part);
      out_.print("\n{}: {}\n",
                 group_line(timeline_.analysis, *timeline_.groups, site, kTextColumns - 2 - text_width(share)), share);
      print_part(part.series);
      at_peak -= part.at_peak_bytes;
      open -= part.open_bytes;
    }
    const bool has_rest = std::any_of(timeline_.rest.begin(), timeline_.rest.end(),
                                      [](const TimelineInterval& interval) { return interval.max_chunks != 0; });
    if (!has_rest) return;
    out_.print("\nall others together: {} (--top N shows N)\n", share_at_peak(at_peak, open));
    print_part(timeline_.rest);
  }

  void print_sites() {
    if (timeline_.sites.empty()) return;
    out_.print("\nThe stacks that hold most, at the peak or {}; each row has a scale of its own\n", at_end(trace_));
    const StackStyle style = stack_style(options_, kFramesOfSite);
    size_t number = 0;
    for (const Timeline::Part& part : timeline_.sites) {
      const Site& site = timeline_.account->sites[part.index];
      out_.print("\n{:>3}  {}, {}\n", ++number, share_at_peak(part),
                 cut_text(escape_text(trace_.domains.tag_name(site.tag)), 24));
      print_stack(out_, trace_, source_, site.stack, style);
      print_part(part.series);
    }
    if (timeline_.all_sites > timeline_.sites.size())
      out_.print("\n... {} (--top {} shows all)\n",
                 count_of(timeline_.all_sites - timeline_.sites.size(), "more stack", "more stacks"),
                 timeline_.all_sites);
  }

  void print_threads() {
    if (timeline_.all_threads < 2) return;  // it is the chart above
    out_.print("\nThreads, by the blocks that they allocated; each row has a scale of its own\n");
    for (const Timeline::Part& part : timeline_.threads) {
      const Thread& thread = timeline_.analysis.threads[part.index];
      const std::string name = escape_text(thread_name(trace_, thread.serial));
      out_.print("{}\n", cut_text(fmt::format("\nthread {}{}{}: {}", thread.serial, name.empty() ? "" : " ", name,
                                              share_at_peak(part)),
                                  kTextColumns));
      print_part(part.series);
    }
    if (timeline_.all_threads > timeline_.threads.size())
      out_.print("\n... {} (--top {} shows all)\n",
                 count_of(timeline_.all_threads - timeline_.threads.size(), "more thread", "more threads"),
                 timeline_.all_threads);
  }

  const Timeline& timeline_;
  const Trace& trace_;
  const ReportOptions& options_;
  Output& out_;
  const Charts charts_;
  FrameSource source_;
};

}  // namespace

void print_timeline_text(const Timeline& timeline, const ReportOptions& options, Output& out) {
  TextReport(timeline, options, out).print();
}

}  // namespace memprof
