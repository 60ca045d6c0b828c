// diff and the leak reports against slow accounts that share no code with the analyzer.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "report/leaks_trend.h"
#include "report/moment.h"
#include "report/reports.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

struct Block {
  uint64_t begin, end, size;  // end 0: never freed
  size_t place;
};

struct Sample {
  std::vector<Block> blocks;
  uint64_t duration = 0;
};

// A place is a module of its own: without symbols that is all of the fingerprint.
Bytes write(const Sample& sample, uint64_t first_address) {
  TraceBuilder b;
  std::map<size_t, uint32_t> stacks;
  uint64_t address = first_address;
  struct Step {
    uint64_t time;
    bool is_alloc;
    uint64_t address, size;
    uint32_t stack;
  };
  std::vector<Step> steps;
  for (const Block& block : sample.blocks) {
    if (!stacks.contains(block.place)) {
      const uint64_t base = 0x100000 * (block.place + 1) + first_address;
      const uint32_t module =
          b.add_module("/lib/place" + std::to_string(block.place) + ".so.1", base, base + 4096, base);
      stacks[block.place] = b.add_node(format::kRootWhole, module, 0x10 + first_address % 512);
    }
    address += 64;
    steps.push_back({block.begin, true, address, block.size, stacks[block.place]});
    if (block.end != 0) steps.push_back({block.end, false, address, 0, 0});
  }
  std::stable_sort(steps.begin(), steps.end(), [](const Step& x, const Step& y) { return x.time < y.time; });
  for (const Step& step : steps)
    step.is_alloc ? b.alloc(1, step.time, step.address, step.size, step.stack) : b.free(1, step.time, step.address);
  b.close(sample.duration);
  return b.build();
}

// Every time is used once, so that there is one order.
Sample random_sample(std::mt19937_64& random, size_t places, size_t count) {
  Sample sample;
  std::vector<uint64_t> times;
  for (size_t i = 0; i < 2 * count; ++i) times.push_back(100 + i * 10 + random() % 9);
  std::shuffle(times.begin(), times.end(), random);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t a = std::min(times[2 * i], times[2 * i + 1]), z = std::max(times[2 * i], times[2 * i + 1]);
    sample.blocks.push_back({a, random() % 3 == 0 ? 0 : z, random() % 500, random() % places});
  }
  sample.duration = 100 + count * 20 + random() % 5000;
  return sample;
}

ReportOptions json_options() {
  ReportOptions options;
  options.symbols = false;
  options.json = true;
  return options;
}

struct Sum {
  uint64_t bytes = 0, blocks = 0;
  bool operator==(const Sum&) const = default;
};

std::string place_name(const json& site) { return site["names"][0]; }

json diff_of(const Sample& before, const Sample& after, const ReportOptions& options) {
  Trace old_trace(open_bytes(write(before, 0x1000))), new_trace(open_bytes(write(after, 0x9000000)));
  return json::parse(
      written_by([&](Output& out) { REQUIRE(report_diff(old_trace, new_trace, options, out, nullptr)); }));
}

}  // namespace

TEST_CASE("a diff has the counts and bytes of a slow account, by each number, normalised or not", "[diff]") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 12; ++round) {
    const Sample samples[2] = {random_sample(random, 6 + random() % 8, 1 + random() % 200),
                               random_sample(random, 6 + random() % 8, 1 + random() % 200)};
    for (const RankBy by : {RankBy::open, RankBy::allocated, RankBy::allocations}) {
      for (const DiffPer per : {DiffPer::nothing, DiffPer::second, DiffPer::allocation}) {
        std::map<std::string, Sum> sums[2];
        double divisor[2];
        for (int side = 0; side < 2; ++side) {
          for (const Block& block : samples[side].blocks) {
            if (by == RankBy::open && block.end != 0) continue;
            Sum& sum = sums[side]["(place" + std::to_string(block.place) + ".so)"];
            sum.bytes += block.size;
            ++sum.blocks;
          }
          divisor[side] = per == DiffPer::nothing  ? 1
                          : per == DiffPer::second ? static_cast<double>(samples[side].duration) / 1e9
                                                   : static_cast<double>(samples[side].blocks.size());
        }
        ReportOptions options = json_options();
        options.by = by;
        options.per = per;
        const json d = diff_of(samples[0], samples[1], options);
        std::set<std::string> seen;
        std::map<std::string, uint64_t> counts;
        double last_change = INFINITY;
        for (const json& site : d["sites"]) {
          const std::string name = place_name(site);
          CAPTURE(name, site.dump());
          CHECK(seen.insert(name).second);
          double values[2] = {};
          for (int side = 0; side < 2; ++side) {
            const json& got = site[side == 0 ? "old" : "new"];
            CHECK(got.is_null() == !sums[side].contains(name));
            if (got.is_null()) continue;
            CHECK(Sum{got["bytes"], got["blocks"]} == sums[side][name]);
            const Sum& sum = sums[side][name];
            values[side] = static_cast<double>(by == RankBy::allocations ? sum.blocks : sum.bytes) / divisor[side];
            CHECK(got["value"].get<double>() == Approx(values[side]));
          }
          CHECK(site["change"].get<double>() == Approx(values[1] - values[0]));
          const std::string status = site["status"];
          ++counts[status];
          if (!sums[0].contains(name))
            CHECK(status == "new");
          else if (!sums[1].contains(name))
            CHECK(status == "gone");
          else if (values[1] > values[0])
            CHECK(status == "grown");
          else if (values[1] < values[0])
            CHECK(status == "shrunk");
          if (status != "same") {
            CHECK(std::abs(site["change"].get<double>()) <= last_change);
            last_change = std::abs(site["change"].get<double>());
          }
        }
        std::set<std::string> wanted;
        for (const auto& side : sums)
          for (const auto& [name, sum] : side) wanted.insert(name);
        CHECK(seen == wanted);
        for (const char* status : {"new", "gone", "grown", "shrunk", "same"})
          CHECK(d["counts"][status] == counts[status]);
      }
    }
  }
}

TEST_CASE("a diff tells what is new, gone, grown, shrunk and the same, and hides small changes", "[diff]") {
  const Sample before{{{10, 0, 100, 0}, {20, 0, 50, 1}, {30, 0, 70, 2}, {40, 0, 90, 3}}, 1000};
  const Sample after{{{10, 0, 100, 0}, {20, 0, 50, 1}, {25, 0, 51, 1}, {30, 0, 30, 2}, {40, 0, 2000, 4}}, 2000};
  ReportOptions options = json_options();
  json d = diff_of(before, after, options);
  std::map<std::string, std::string> status;
  for (const json& site : d["sites"]) status[place_name(site)] = site["status"];
  CHECK(status == std::map<std::string, std::string>{{"(place0.so)", "same"},
                                                     {"(place1.so)", "grown"},
                                                     {"(place2.so)", "shrunk"},
                                                     {"(place3.so)", "gone"},
                                                     {"(place4.so)", "new"}});
  CHECK(d["schema"] == "memprof.diff/1");
  CHECK(d["old"]["total"] == json({{"bytes", 310}, {"blocks", 4}}));
  CHECK(d["new"]["total"] == json({{"bytes", 2231}, {"blocks", 5}}));
  options.min_bytes = 60;
  d = diff_of(before, after, options);
  CHECK(d["counts"] == json({{"new", 1}, {"gone", 1}, {"grown", 0}, {"shrunk", 0}, {"same", 1}, {"hidden", 2}}));
  options.min_bytes.reset();
  options.min_percent = 50;
  CHECK(diff_of(before, after, options)["counts"]["hidden"] == 3);

  Trace old_trace(open_bytes(write(before, 0x1000))), new_trace(open_bytes(write(after, 0x9000000)));
  options = {};
  options.symbols = false;
  const auto text_of = [&](Trace& x, Trace& y) {
    return written_by([&](Output& out) { report_diff(x, y, options, out, nullptr); });
  };
  const std::string text = text_of(old_trace, new_trace);
  CHECK_THAT(text, Contains("5 places: 1 new, 1 grown, 1 shrunk, 1 gone; 1 the same") && Contains("+1.95 KiB") &&
                       Contains("50 B -> 101 B (+102.0 %)"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
  CHECK_THAT(text_of(old_trace, old_trace), Contains("Nothing changed."));
  options.csv = true;
  const std::string csv = text_of(old_trace, new_trace);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 6);
  CHECK_THAT(csv, Contains("new,none,") && Contains(",0,2000,0,1,0,2000,2000,malloc,(place4.so),,\r\n"));
}

TEST_CASE("leaks of an age and between two times are those of a slow account", "[leaks]") {
  std::mt19937_64 random(6);
  for (int round = 0; round < 20; ++round) {
    const Sample sample = random_sample(random, 5, 1 + random() % 150);
    const Trace trace(open_bytes(write(sample, 0x1000)));
    const auto check = [&](const ReportOptions& options, const auto& wanted) {
      std::map<std::string, Sum> sums;
      Sum total;
      for (const Block& block : sample.blocks) {
        if (!wanted(block)) continue;
        Sum& sum = sums["/lib/place" + std::to_string(block.place) + ".so.1"];
        for (Sum* each : {&sum, &total}) {
          each->bytes += block.size;
          ++each->blocks;
        }
      }
      const LeakSpan span = find_leak_span(trace, options, nullptr);
      REQUIRE(span.problem.empty());
      const json d = json::parse(
          written_by([&](Output& out) { REQUIRE(report_leaks_of_span(trace, span, options, out, nullptr)); }));
      std::map<std::string, Sum> got;
      for (const json& site : d["stacks"])
        got[site["stack"][0]["module"]] = {site["open"]["bytes"], site["open"]["chunks"]};
      CHECK((got == sums));
      CHECK(Sum{d["total"], d["blocks"]} == total);
    };
    ReportOptions options = json_options();
    options.older_ns = random() % (sample.duration + 100);
    check(options, [&](const Block& b) { return b.end == 0 && b.begin + *options.older_ns <= sample.duration; });
    options.older_ns.reset();
    const uint64_t from = random() % (sample.duration - 1), to = from + 1 + random() % (sample.duration - from);
    options.between = {std::to_string(from) + "ns", std::to_string(to) + "ns"};
    check(options, [&](const Block& b) {
      return b.begin >= from && (b.begin < to || to >= sample.duration) &&
             (b.end == 0 || (b.end >= to && to < sample.duration));
    });
  }
}

TEST_CASE("moments are times, shares of the trace and marks", "[leaks]") {
  TraceBuilder b;
  b.alloc(1, 10, 0x1000, 8, b.stack(0x100));
  b.close(2'000'000'000);
  const Trace trace(open_bytes(b.build()));
  const auto ns = [&](const char* text) { return find_moment(text, trace, 2'000'000'000).ns; };
  CHECK(ns("1.5s") == 1'500'000'000);
  CHECK(ns("200 ms") == 200'000'000);
  CHECK(ns("25%") == 500'000'000);
  CHECK(ns("end") == 2'000'000'000);
  CHECK(ns("start") == 0);
  for (const char* bad : {"5", "", "-1s", "nan s", "1e400s", "101%", "no such mark", "99999999999h"})
    CHECK_FALSE(find_moment(bad, trace, 2'000'000'000).problem.empty());
  CHECK(parse_duration_ns("2min") == 120'000'000'000);
  CHECK_FALSE(parse_duration_ns("2 parsecs"));
  ReportOptions options;
  options.between = {"1s", "500ms"};
  CHECK_THAT(find_leak_span(trace, options, nullptr).problem, Contains("is not before"));
  options.between = {"5s", "6s"};
  CHECK_THAT(find_leak_span(trace, options, nullptr).problem, Contains("the trace is 2.000 s long"));
}

TEST_CASE("samples of open bytes are those of a slow account", "[leaks]") {
  std::mt19937_64 random(8);
  for (int round = 0; round < 20; ++round) {
    Sample sample = random_sample(random, 3, 20 + random() % 200);
    // One place that grows all the time, so that there is something to show.
    for (uint64_t i = 1; i < 200; ++i) sample.blocks.push_back({i * sample.duration / 200, 0, 1000, 7});
    std::sort(sample.blocks.begin(), sample.blocks.end(),
              [](const Block& x, const Block& y) { return x.begin < y.begin; });
    const Trace trace(open_bytes(write(sample, 0x1000)));
    const json d = json::parse(
        written_by([&](Output& out) { REQUIRE(report_leaks_growth(trace, json_options(), out, nullptr)); }));
    const uint64_t interval = d["interval_ns"], count = d["samples"];
    CHECK(count >= 17);
    CHECK(count <= 33);
    CHECK((count - 1) * interval <= sample.duration);
    CHECK(count * interval > sample.duration);
    bool found = false;
    for (const json& site : d["stacks"]) {
      const std::string module = site["stack"][0]["module"];
      found = found || module == "/lib/place7.so.1";
      for (uint64_t k = 0; k < count; ++k) {
        uint64_t open = 0;
        for (const Block& block : sample.blocks)
          if ("/lib/place" + std::to_string(block.place) + ".so.1" == module && block.begin <= k * interval &&
              (block.end == 0 || block.end > k * interval))
            open += block.size;
        CHECK(site["open_bytes_samples"][k] == open);
      }
    }
    CHECK(found);
  }
}

TEST_CASE("what grew most stands first, though it is freed at the end", "[leaks]") {
  TraceBuilder b;
  const uint32_t large = b.stack(0x100), small = b.stack(0x200);
  for (uint64_t i = 1; i < 100; ++i) {
    b.alloc(1, i * 9'700, i << 20, 600'000, large);
    b.alloc(1, i * 9'700 + 1, i << 20 | 1 << 19, 10, small);
  }
  for (uint64_t i = 1; i < 100; ++i) b.free(1, 970'000, i << 20);
  b.close(1'000'000);
  const Trace trace(open_bytes(b.build()));
  const json d =
      json::parse(written_by([&](Output& out) { REQUIRE(report_leaks_growth(trace, json_options(), out, nullptr)); }));
  REQUIRE(d["stacks"].size() == 2);
  CHECK(d["stacks"][0]["open"]["bytes"] == 0);
  CHECK(d["stacks"][0]["growth_bytes"].get<uint64_t>() > 50'000'000);
  CHECK(d["stacks"][1]["open"]["bytes"] == 990);
  CHECK(d["stacks"][1]["growth_bytes"] == 990);
}

TEST_CASE("growing is told from a step, a plateau, a saw and noise", "[leaks]") {
  const auto series = [](const auto& value) {
    std::vector<uint64_t> v;
    for (uint64_t i = 0; i < 32; ++i) v.push_back(value(i));
    return trend_of(v);
  };
  std::mt19937_64 random(9);
  CHECK(series([](uint64_t i) { return i * 10; }).is_growing);
  CHECK(series([](uint64_t i) { return i * 10; }).s == 32 * 31 / 2);
  CHECK(series([](uint64_t i) { return i * 10; }).slope == Approx(10));
  CHECK(series([](uint64_t i) { return i < 12 ? 0 : i * 10; }).is_growing);
  CHECK(series([&](uint64_t i) { return 5000 + i * 100 + random() % 60; }).is_growing);
  CHECK_FALSE(series([](uint64_t i) { return i < 16 ? 100u : 200u; }).is_growing);
  CHECK_FALSE(series([](uint64_t i) { return std::min<uint64_t>(i, 8) * 100; }).is_growing);
  CHECK_FALSE(series([](uint64_t i) { return (i % 8) * 100; }).is_growing);
  CHECK_FALSE(series([&](uint64_t) { return random() % 1000; }).is_growing);
  CHECK_FALSE(series([](uint64_t) { return uint64_t{7}; }).is_growing);
  CHECK_FALSE(series([](uint64_t) { return uint64_t{0}; }).is_growing);
  CHECK(series([](uint64_t) { return uint64_t{7}; }).p == 1);
  // The variance with ties, worked out by hand: 1 2 2 3 has S = 5 and (4*3*13 - 2*1*9) / 18 = 7.667.
  const std::vector<uint64_t> tied = {1, 2, 2, 3};
  CHECK(trend_of(tied).s == 5);
  CHECK(trend_of(tied).z == Approx(4 / std::sqrt(138.0 / 18)));
}
