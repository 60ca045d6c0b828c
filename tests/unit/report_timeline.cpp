// The timeline against a slow oracle: the list of all changes, looked through anew for each interval.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <random>
#include <sstream>

#include "report/escape.h"
#include "report/reports.h"
#include "report/timeline_chart.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;

namespace {

struct Change {
  uint64_t time;
  bool is_allocation;
  uint64_t size;
  uint32_t stack, thread;
};

struct Moment {
  uint64_t bytes = 0, chunks = 0;
};

// The numbers of one interval [begin, end) (to the end of time for the last) of those changes that `wanted` takes.
template <class Wanted>
std::map<std::string, uint64_t> slow_interval(const std::vector<Change>& changes, uint64_t begin, uint64_t end,
                                              bool is_last, Wanted wanted) {
  std::map<std::string, uint64_t> result;
  Moment now, max, min;
  bool has_begun = false;
  const auto see = [&] {
    max = {std::max(max.bytes, now.bytes), std::max(max.chunks, now.chunks)};
    min = {std::min(min.bytes, now.bytes), std::min(min.chunks, now.chunks)};
  };
  for (const Change& change : changes) {
    if (!wanted(change)) continue;
    if (!is_last && change.time >= end) break;
    if (change.time >= begin && !has_begun) {
      has_begun = true;
      max = min = now;
    }
    now.bytes += change.is_allocation ? change.size : -change.size;
    now.chunks += change.is_allocation ? 1 : -uint64_t{1};
    if (!has_begun) continue;
    see();
    if (change.is_allocation) {
      ++result["allocations"];
      result["bytes_allocated"] += change.size;
    }
  }
  if (!has_begun) max = min = now;
  result["allocations"] += 0;
  result["bytes_allocated"] += 0;
  result["open_bytes"] = now.bytes;
  result["open_chunks"] = now.chunks;
  result["max_bytes"] = max.bytes;
  result["min_bytes"] = min.bytes;
  result["max_chunks"] = max.chunks;
  result["min_chunks"] = min.chunks;
  return result;
}

template <class Wanted>
void check_series(const nlohmann::json& timeline, const nlohmann::json& series, const std::vector<Change>& changes,
                  Wanted wanted) {
  const nlohmann::json& begin = timeline.at("begin_ns");
  for (size_t i = 0; i < begin.size(); ++i) {
    const bool is_last = i + 1 == begin.size();
    const uint64_t end = is_last ? timeline.at("duration_ns").get<uint64_t>() : begin[i + 1].get<uint64_t>();
    for (const auto& [key, value] : slow_interval(changes, begin[i], end, is_last, wanted)) {
      INFO(key << " of interval " << i);
      REQUIRE(series.at(key).at(i) == value);
    }
  }
}

struct RandomTrace {
  TraceBuilder builder;
  std::vector<Change> changes;
  std::map<uint32_t, uint64_t> address_of_stack;  // what the only frame of a stack is
};

void make_random(std::mt19937_64& random, RandomTrace& made) {
  struct Block {
    uint64_t address, size;
    uint32_t stack, thread;
  };
  std::vector<uint32_t> stacks;
  for (uint64_t i = 0; i < 7; ++i) {
    stacks.push_back(made.builder.stack(0x100 + i));
    made.address_of_stack[stacks.back()] = 0x100 + i;
  }
  std::vector<Block> live;
  uint64_t time = 50, next_address = 0x10000;
  const uint32_t threads = 1 + static_cast<uint32_t>(random() % 4);
  const size_t events = 50 + random() % 600;
  for (size_t event = 0; event < events; ++event) {
    // Bursts and pauses, so that some intervals are empty.
    time += random() % 20 == 0 ? 30'000 : 1 + random() % 30;
    const uint32_t stream = 1 + static_cast<uint32_t>(random() % threads);
    if (live.empty() || random() % 100 < 55) {
      const uint64_t size = random() % 10 == 0 ? random() % 1'000'000 : random() % 300;
      const Block block{next_address += 16, size, stacks[random() % stacks.size()], stream};
      made.builder.alloc(stream, time, block.address, size, block.stack);
      made.changes.push_back({time, true, size, block.stack, stream});
      live.push_back(block);
    } else {
      const size_t at = random() % live.size();
      const Block block = live[at];
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
      made.builder.free(stream, time, block.address);
      made.changes.push_back({time, false, block.size, block.stack, block.thread});
    }
  }
  made.builder.close(time + random() % 50'000);
}

nlohmann::json timeline_json(Trace& trace, size_t points, size_t top = SIZE_MAX) {
  ReportOptions options;
  options.json = true;
  options.points = points;
  options.top = top;
  return nlohmann::json::parse(written_by([&](Output& out) { report_timeline(trace, options, out, nullptr); }));
}

std::string timeline_text(Trace& trace, std::optional<size_t> points = {}) {
  ReportOptions options;
  options.points = points;
  return written_by([&](Output& out) { report_timeline(trace, options, out, nullptr); });
}

format::MemorySample sample_at(uint64_t time, uint64_t resident) {
  format::MemorySample sample;
  std::memset(&sample, 0xff, sizeof sample);
  sample.ticks = TraceBuilder::kStart + time;
  sample.took_ns = 15'000;
  sample.virtual_bytes = 4 * resident;
  sample.resident_bytes = resident;
  sample.file_bytes = resident / 2;
  return sample;
}

size_t columns_of(const std::string& line) {
  size_t count = 0;
  for (const char c : line) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class Locale {
 public:
  explicit Locale(const char* value) { ::setenv("LC_ALL", value, 1); }
  ~Locale() { ::unsetenv("LC_ALL"); }
};

}  // namespace

TEST_CASE("every number of the timeline agrees with a slow account on random traces", "[timeline]") {
  std::mt19937_64 random(20260711);
  for (int round = 0; round < 25; ++round) {
    RandomTrace made;
    make_random(random, made);
    Analysed analysed(made.builder);
    const size_t points = round % 5 == 0 ? 1 : 1 + random() % 150;
    const nlohmann::json timeline = timeline_json(analysed.trace, points);
    REQUIRE(timeline.at("points") == points);
    REQUIRE(timeline.at("begin_ns").size() == points);
    check_series(timeline, timeline.at("series"), made.changes, [](const Change&) { return true; });
    for (const nlohmann::json& site : timeline.at("stacks")) {
      const uint64_t address = site.at("stack").at(0).at("offset");
      check_series(timeline, site.at("series"), made.changes,
                   [&](const Change& change) { return made.address_of_stack.at(change.stack) == address; });
    }
    for (const nlohmann::json& thread : timeline.at("threads"))
      check_series(timeline, thread.at("series"), made.changes,
                   [&](const Change& change) { return change.thread == thread.at("serial"); });

    // The peak, and what each thread and stack had of it, by the list.
    uint64_t open = 0, peak = 0, peak_time = 0;
    std::map<uint32_t, uint64_t> by_thread, at_peak;
    for (const Change& change : made.changes) {
      open += change.is_allocation ? change.size : -change.size;
      by_thread[change.thread] += change.is_allocation ? change.size : -change.size;
      if (open <= peak) continue;
      peak = open;
      peak_time = change.time;
      at_peak = by_thread;
    }
    CHECK(timeline.at("peak").at("bytes") == peak);
    CHECK(timeline.at("peak").at("bytes") == analysed.heap().sites.peak_bytes());
    CHECK(timeline.at("peak").at("time_ns") == peak_time);
    const size_t at = timeline.at("peak").at("interval");
    CHECK(timeline.at("series").at("max_bytes").at(at) == peak);
    CHECK(timeline.at("begin_ns").at(at) <= peak_time);
    std::map<uint32_t, uint64_t> contributions;
    for (const auto& [thread, bytes] : by_thread) {
      const uint64_t most = std::max(bytes, at_peak[thread]);
      if (most > 0) contributions[thread] = most;
    }
    REQUIRE(timeline.at("threads").size() == contributions.size());
    uint64_t before = UINT64_MAX;
    for (const nlohmann::json& thread : timeline.at("threads")) {
      CHECK(thread.at("at_peak_bytes") == at_peak[thread.at("serial")]);
      CHECK(thread.at("open_bytes") == by_thread[thread.at("serial")]);
      CHECK(contributions.at(thread.at("serial")) <= before);
      before = contributions.at(thread.at("serial"));
    }
    const nlohmann::json short_list = timeline_json(analysed.trace, points, 2);
    CHECK(short_list.at("threads").size() == std::min<size_t>(2, contributions.size()));
    CHECK(short_list.at("stacks").size() == 2);
    CHECK(short_list.at("stacks").at(0).at("series") == timeline.at("stacks").at(0).at("series"));
  }
}

TEST_CASE("a spike that lives shorter than an interval is in the timeline", "[timeline]") {
  TraceBuilder b;
  const uint32_t stack = b.stack(0x100);
  b.alloc(1, 1'000, 0x10000, 100, stack);
  b.alloc(1, 500'000'000, 0x20000, 1 << 20, stack);
  b.free(1, 500'000'100, 0x20000);
  b.close(1'000'000'000);
  Analysed analysed(b);
  const nlohmann::json timeline = timeline_json(analysed.trace, 10);
  CHECK(timeline.at("series").at("max_bytes") ==
        nlohmann::json({100, 100, 100, 100, 100, (1 << 20) + 100, 100, 100, 100, 100}));
  CHECK(timeline.at("series").at("min_bytes") == nlohmann::json({0, 100, 100, 100, 100, 100, 100, 100, 100, 100}));
  CHECK(timeline.at("series").at("open_bytes") == nlohmann::json({100, 100, 100, 100, 100, 100, 100, 100, 100, 100}));
  CHECK(timeline.at("peak").at("interval") == 5);
  CHECK(timeline.at("allocations_per_s").at(5) == 10.0);
  CHECK(timeline.at("bytes_per_s").at(0) == 1000.0);
}

TEST_CASE("samples and marks are told as they were recorded, and nothing between them", "[timeline]") {
  TraceBuilder b;
  const uint32_t stack = b.stack(0x100);
  b.alloc(1, 1'000, 0x10000, 100, stack);
  format::MemorySample detailed = sample_at(700'000'000, 8 << 20);
  detailed.exact_resident_bytes = 9 << 20;
  detailed.shared_clean_bytes = 3 << 20;
  detailed.shared_dirty_bytes = 1 << 20;
  detailed.private_dirty_bytes = 2 << 20;
  detailed.referenced_bytes = 5 << 20;
  b.add_sample(detailed);
  b.add_sample(sample_at(0, 4 << 20));
  b.add_mark(710'000'000, 1, "loaded \x1b[31m");
  b.close(1'000'000'000);
  Analysed analysed(b);
  REQUIRE(analysed.trace.file.complete());
  const nlohmann::json timeline = timeline_json(analysed.trace, 10);
  const nlohmann::json& samples = timeline.at("samples");
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].at("time_ns") == 0);
  CHECK(samples[0].at("resident_bytes") == 4 << 20);
  CHECK(samples[0].at("referenced_bytes").is_null());
  CHECK(samples[1].at("time_ns") == 700'000'000);
  CHECK(samples[1].at("resident_bytes") == 9 << 20);
  CHECK(samples[1].at("referenced_bytes") == 5 << 20);
  CHECK(samples[1].at("swap_bytes").is_null());
  CHECK(timeline.at("marks").at(0).at("interval") == 7);

  const Locale plain("C");
  const std::string text = timeline_text(analysed.trace, 10);
  CHECK_THAT(text, Contains("2 samples of the process's memory, 1 with dirty, shared and referenced pages"));
  CHECK_THAT(text, Contains("4.00 MiB     9.00 MiB     9.00 MiB         700.0 ms        2"));  // resident
  CHECK_THAT(text, Contains("a     710.0 ms  loaded \\x1b[31m"));
  // Two intervals of ten have a sample: 8 columns each.
  bool found = false;
  for (const std::string& line : lines_of(text)) {
    if (line.find("9.00 MiB |") == std::string::npos) continue;
    found = true;
    CHECK(std::count(line.begin(), line.end(), '#') + std::count(line.begin(), line.end(), ':') == 16);
  }
  CHECK(found);
}

TEST_CASE("a trace without samples says so", "[timeline]") {
  TraceBuilder b;
  b.alloc(1, 1'000, 0x10000, 100, b.stack(0x100));
  b.close(1'000'000);
  Analysed unsampled(b);
  CHECK_THAT(timeline_text(unsampled.trace), Contains("No samples of the process's memory"));
}

TEST_CASE("samples of later libraries are read as far as they are known, short ones are damage", "[timeline]") {
  const format::MemorySample sample = sample_at(5, 4096);
  const auto raw = std::as_bytes(std::span(&sample, 1));
  Bytes longer(raw.begin(), raw.end());
  longer.resize(longer.size() + 24, std::byte{7});
  TraceBuilder later;
  later.add_sample_record(1, longer);
  later.add_sample_record(77, Bytes(8, std::byte{1}));
  later.close(1'000);
  const Analysed read(later);
  CHECK(read.trace.file.complete());
  REQUIRE(read.trace.samples.size() == 1);
  CHECK(read.trace.samples[0].resident_bytes == 4096);

  TraceBuilder shorter;
  shorter.add_sample_record(1, Bytes(raw.begin(), raw.end() - 1));
  shorter.close(1'000);
  const Analysed damaged(shorter);
  CHECK(damaged.trace.samples.empty());
  CHECK(damaged.trace.file.damage().pages() == 1);
}

TEST_CASE("the chart fits 100 columns in both charsets and marks the peak", "[timeline]") {
  std::mt19937_64 random(3);
  RandomTrace made;
  make_random(random, made);
  made.builder.add_sample(sample_at(0, 4 << 20));
  Analysed analysed(made.builder);
  for (const char* charset : {"C", "en_US.UTF-8"}) {
    const Locale locale(charset);
    const bool utf8 = locale_is_utf8();
    CHECK(utf8 == (std::string_view(charset) != "C"));
    for (const size_t points : {1u, 2u, 40u, 86u, 87u, 1000u}) {
      const std::string text = timeline_text(analysed.trace, points);
      INFO(text);
      for (const std::string& line : lines_of(text)) CHECK(columns_of(line) <= 100);
      CHECK_THAT(text, Contains(utf8 ? "▼" : "v peak") || Contains(" v\n"));
      CHECK((text.find("░") != std::string::npos || text.find("█") != std::string::npos) == utf8);
      CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c > 0; }) == !utf8);
      CHECK_THAT(text, Contains("0 B " + std::string(utf8 ? "└" : "+")));
      CHECK_THAT(text, Contains("allocations a second"));
    }
  }
}

TEST_CASE("every interval has a column and every column an interval", "[timeline]") {
  for (size_t intervals = 1; intervals < 400; ++intervals) {
    const Charts charts(intervals, true);
    std::vector<bool> is_shown(intervals);
    for (size_t column = 0; column < charts.width(); ++column) {
      REQUIRE(charts.first_of(column) < charts.last_of(column));
      REQUIRE(charts.last_of(column) <= intervals);
      for (size_t i = charts.first_of(column); i < charts.last_of(column); ++i) is_shown[i] = true;
    }
    REQUIRE(std::count(is_shown.begin(), is_shown.end(), false) == 0);
    for (size_t i = 0; i < intervals; ++i) {
      const size_t column = charts.column_of(i);
      REQUIRE(charts.first_of(column) <= i);
      REQUIRE(i < charts.last_of(column));
    }
  }
}

TEST_CASE("an empty timeline says that it is empty", "[timeline]") {
  TraceBuilder b;
  b.close(2'000'000);
  Analysed analysed(b.build());
  CHECK_THAT(timeline_text(analysed.trace),
             Contains("Nothing was allocated in domain cpu in the 2.0 ms of the trace."));
  CHECK(timeline_json(analysed.trace, 4).at("series").at("max_bytes") == nlohmann::json({0, 0, 0, 0}));
}

TEST_CASE("the CSV has a line an interval and says what the JSON says", "[timeline]") {
  std::mt19937_64 random(5);
  RandomTrace made;
  make_random(random, made);
  made.builder.add_mark(60, 1, "a \"quoted\", name");
  Analysed analysed(made.builder);
  ReportOptions options;
  options.csv = true;
  options.points = 12;
  options.top = 1;
  const std::string csv = written_by([&](Output& out) { report_timeline(analysed.trace, options, out, nullptr); });
  const nlohmann::json series = timeline_json(analysed.trace, 12).at("series");
  const std::vector<std::string> lines = lines_of(csv);
  REQUIRE(lines.size() == 1 + 12 * 3);
  for (const std::string& line : lines) REQUIRE(line.ends_with('\r'));
  CHECK_THAT(lines[1], Contains(",\"a \"\"quoted\"\", name\"\r"));
  for (size_t i = 0; i < 12; ++i) {
    std::vector<std::string> fields;
    std::istringstream stream(lines[1 + i]);
    for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
    CHECK(fields[0] == "all");
    CHECK(fields[4] == series.at("open_bytes")[i].dump());
    CHECK(fields[5] == series.at("open_chunks")[i].dump());
    CHECK(fields[6] == series.at("max_bytes")[i].dump());
    CHECK(fields[7] == series.at("min_bytes")[i].dump());
    CHECK(fields[10] == series.at("allocations")[i].dump());
    CHECK(fields[11] == series.at("bytes_allocated")[i].dump());
  }
}
