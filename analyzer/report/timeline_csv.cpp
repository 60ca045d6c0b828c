#include <map>

#include "report/csv.h"
#include "report/escape.h"
#include "report/site_list.h"
#include "report/timeline_formats.h"

namespace memprof {

namespace {

constexpr const char* kRestName = "(others)";

// RFC 4180: quoted where it must be, quotes doubled.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

// What stands in the columns that only all blocks together have.
struct IntervalNotes {
  size_t samples = 0;
  uint64_t resident_bytes = 0;  // highest
  std::string marks;
};

std::map<size_t, IntervalNotes> collect_notes(const Timeline& timeline) {
  std::map<size_t, IntervalNotes> notes;
  for (const Timeline::SamplePoint& point : timeline.samples) {
    IntervalNotes& at = notes[point.interval];
    ++at.samples;
    if (point.resident_bytes() != format::kNotSampled)
      at.resident_bytes = std::max(at.resident_bytes, point.resident_bytes());
  }
  for (const Timeline::MarkPoint& mark : timeline.marks) {
    std::string& marks = notes[mark.interval].marks;
    marks += (marks.empty() ? "" : "; ") + to_utf8(mark.mark->name);
  }
  return notes;
}

void print_series(const Timeline& timeline, const std::string& series, const std::string& name,
                  const TimelineSeries& values, const std::map<size_t, IntervalNotes>& notes, Output& out) {
  for (size_t i = 0; i < values.size(); ++i) {
    const TimelineInterval& at = values[i];
    const auto found = notes.find(i);
    const IntervalNotes here = found == notes.end() ? IntervalNotes{} : found->second;
    out.print("{},{},{},{},{},{},{},{},{},{},{},{},{:.3f},{:.3f},{},{},{}\r\n", series, name, timeline.begin_ns[i],
              timeline.end_ns(i), at.bytes, at.chunks, at.max_bytes, at.min_bytes, at.max_chunks, at.min_chunks,
              at.allocations, at.bytes_allocated, timeline.per_second(at.allocations, i),
              timeline.per_second(at.bytes_allocated, i), here.samples == 0 ? "" : std::to_string(here.samples),
              here.samples == 0 ? "" : std::to_string(here.resident_bytes), field(here.marks));
  }
}

// A column a group: what is open of each at the end of an interval.
void print_groups(const Timeline& timeline, Output& out) {
  std::vector<std::string> header = {"begin_ns", "end_ns", "open_bytes"};
  for (const Timeline::Part& part : timeline.sites) {
    const SiteGroups::Name name = timeline.groups->name(timeline.analysis, timeline.account->sites[part.index].stack);
    header.push_back(name.module.empty() ? name.name : fmt::format("{} ({})", name.name, name.module));
  }
  header.push_back(kRestName);
  CsvTable table(out, header);
  for (size_t i = 0; i < timeline.size(); ++i) {
    table.field(timeline.begin_ns[i]);
    table.field(timeline.end_ns(i));
    table.field(timeline.total[i].bytes);
    for (const Timeline::Part& part : timeline.sites) table.field(part.series[i].bytes);
    table.row(timeline.rest[i].bytes);
  }
}

}  // namespace

void print_timeline_csv(const Timeline& timeline, const ReportOptions& options, Output& out) {
  if (timeline.groups && options.table != "series") return print_groups(timeline, out);
  const Trace& trace = timeline.analysis.trace;
  out.write(
      "series,name,begin_ns,end_ns,open_bytes,open_chunks,max_bytes,min_bytes,max_chunks,min_chunks,allocations,"
      "bytes_allocated,allocations_per_s,bytes_per_s,samples,resident_bytes,marks\r\n");
  print_series(timeline, "all", field(to_utf8(options.domain)), timeline.total, collect_notes(timeline), out);
  FrameSource source(trace, options.symbols);
  size_t number = 0;
  for (const Timeline::Part& part : timeline.sites) {
    const StackId stack = timeline.account->sites[part.index].stack;
    const std::string name =
        timeline.groups ? timeline.groups->name(timeline.analysis, stack).name : joined_stack(source, stack, options);
    print_series(timeline, fmt::format("{} {}", timeline.groups ? "group" : "stack", ++number), field(to_utf8(name)),
                 part.series, {}, out);
  }
  if (timeline.groups) print_series(timeline, "rest", kRestName, timeline.rest, {}, out);
  for (const Timeline::Part& part : timeline.threads) {
    const uint32_t serial = timeline.analysis.threads[part.index].serial;
    print_series(timeline, fmt::format("thread {}", serial), field(to_utf8(thread_name(trace, serial))), part.series,
                 {}, out);
  }
}

}  // namespace memprof
