// What reports say about their window and filters, and the frames that they hide.
#include <catch2/catch.hpp>

#include <sstream>

#include "report/reports.h"
#include "report/selection_builder.h"
#include "report/selection_text.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;
using format::Function;
using nlohmann::json;

namespace {

// Stacks outer, outer > middle > inner; a mark in the middle, and one on either side.
Bytes sample() {
  TraceBuilder b;
  const uint32_t module = b.add_module("/opt/libx.so", 0x400000, 0x500000, 0x400000);
  const uint32_t outer = b.add_node(format::kRootWhole, module, 0x1000);
  const uint32_t middle = b.add_node(outer, module, 0x2000);
  const uint32_t inner = b.add_node(middle, module, 0x3000);
  b.alloc(1, 1'000'000, 0x1000, 100, inner);
  b.alloc(1, 2'000'000, 0x2000, 50, outer);
  b.free(1, 6'000'000, 0x2000);
  b.alloc(1, 7'000'000, 0x7f0000000000, 8192, outer, Function::mmap);
  b.add_mark(1'200'000, 1, "early");
  b.add_mark(4'000'000, 1, "loaded");
  b.add_mark(8'000'000, 1, "late");
  b.close(10'000'000);
  return b.build();
}

// A trace with the filters set, as the command line sets them.
struct Filtered {
  explicit Filtered(const FilterTexts& texts) : trace(open_bytes(sample())) {
    options.symbols = false;
    options.filters = texts;
    std::string problem;
    options.hidden_frames = HiddenFrames(texts.hide_frames, problem);
    const BuiltSelection built = build_selection(trace, texts, false, nullptr);
    REQUIRE(built.problem == "");
    REQUIRE(problem == "");
    trace.selection = built.selection;
    options.filter_counts = built.counts;
  }

  // Name of the command, its text.
  std::vector<std::pair<std::string, std::string>> every_report() {
    const Analysis analysis = analyse(trace);
    std::vector<std::pair<std::string, std::string>> reports;
    const auto add = [&](const char* name, auto report) { reports.emplace_back(name, written_by(report)); };
    add("summary", [&](Output& out) {
      options.json ? report_summary_json(analysis, options, out) : report_summary_text(analysis, options, out);
    });
    add("stacks", [&](Output& out) { report_stacks(analysis, options, out); });
    add("leaks", [&](Output& out) { report_leaks(analysis, options, out); });
    add("growth", [&](Output& out) { report_leaks_growth(trace, options, out, nullptr); });
    add("tree", [&](Output& out) { report_tree(trace, options, out, nullptr); });
    add("sizes", [&](Output& out) { report_sizes(trace, options, out, nullptr); });
    add("lifetimes", [&](Output& out) { report_lifetimes(trace, options, out, nullptr); });
    add("threads", [&](Output& out) { report_threads(trace, options, out, nullptr); });
    add("timeline", [&](Output& out) { report_timeline(trace, options, out, nullptr); });
    ReportOptions older = options;
    older.older_ns = 0;
    add("older",
        [&](Output& out) { report_leaks_of_span(trace, find_leak_span(trace, older, nullptr), older, out, nullptr); });
    return reports;
  }

  Trace trace;
  ReportOptions options;
};

FilterTexts hiding(std::vector<std::string> patterns) {
  FilterTexts texts;
  texts.hide_frames = std::move(patterns);
  return texts;
}

std::vector<json> chunks_of(Filtered& filtered) {
  std::istringstream lines(
      written_by([&](Output& out) { report_chunks(filtered.trace, filtered.options, out, nullptr); }));
  std::vector<json> chunks;
  for (std::string line; std::getline(lines, line);) chunks.push_back(json::parse(line));
  return chunks;
}

}  // namespace

TEST_CASE("every report says what it is about", "[filters]") {
  FilterTexts texts;
  texts.from = "500us";
  texts.to = "loaded";
  texts.size = ">=1";
  texts.functions = {"libx*", "!nothing*"};
  Filtered filtered(texts);
  const std::string line = "only: window 500.0 us to 4.0 ms; size >= 1; function libx*, not nothing*\n";
  for (const auto& [name, text] : filtered.every_report()) {
    CAPTURE(name, text);
    CHECK_THAT(text, Contains(line));
    CHECK_THAT(text, !Contains("at the end") && !Contains("at exit") && !Contains("open at end"));
  }
  CHECK_THAT(filtered.every_report()[2].second, Contains("not freed at 4.0 ms"));
  filtered.options.json = true;
  for (const auto& [name, text] : filtered.every_report()) {
    CAPTURE(name);
    const json document = json::parse(text);
    CHECK(document["window"]["from_ns"] == 500'000);
    CHECK(document["window"]["to_ns"] == 4'000'000);
    CHECK(document["window"]["open_at_start"].contains("chunks"));
    CHECK(document["window"]["open_at_start"].contains("bytes"));
    CHECK(document["filters"] ==
          json({{"from", "500us"}, {"to", "loaded"}, {"size", ">=1"}, {"function", {"libx*", "!nothing*"}}}));
  }
}

TEST_CASE("without filters nothing is said about them", "[filters]") {
  Filtered plain({});
  for (const auto& [name, text] : plain.every_report()) CHECK_THAT(text, !Contains("only:"));
  plain.options.json = true;
  for (const auto& [name, text] : plain.every_report()) {
    CHECK_FALSE(json::parse(text).contains("window"));
    CHECK_FALSE(json::parse(text).contains("filters"));
  }
}

TEST_CASE("an empty answer says which filter chose nothing", "[filters]") {
  ReportOptions options;
  options.filters.threads = {"worker*"};
  options.filters.functions = {"open_*", "!std::*"};
  const auto counts = std::make_shared<FilterCounts>();
  for (uint32_t thread = 0; thread < 12; ++thread) counts->threads.note(thread, false);
  options.filter_counts = counts;
  const Trace trace(open_bytes(sample()));
  const auto why = [&] { return written_by([&](Output& out) { print_why_empty(out, trace, options); }); };
  CHECK(why() ==
        "only: thread worker*; function open_*, not std::*\n"
        "  --thread worker* chose 0 of 12 threads\n");
  for (uint32_t stack = 0; stack < 1200; ++stack) counts->stacks.note(stack, false);
  for (int again = 0; again < 2; ++again) counts->threads.note(12, true);
  CHECK_THAT(why(), Contains("chose 1 of 13 threads\n  --function open_*, not std::* chose 0 of 1,200 stacks\n"));
  CHECK(describe_emptiness(trace, options).starts_with("; only: thread worker*; "));
  CHECK(written_by([&](Output& out) { print_why_empty(out, trace, {}); }).empty());
}

TEST_CASE("hidden frames are counted where stacks are shown", "[filters]") {
  Filtered filtered(hiding({"libx.so+0x2000", "libx.so+0x1000"}));
  const Analysis analysis = analyse(filtered.trace);
  const auto stacks = [&] { return written_by([&](Output& out) { report_stacks(analysis, filtered.options, out); }); };
  CHECK_THAT(stacks(), Contains("#0  libx.so+0x3000\n") && Contains("... 2 frames hidden\n") &&
                           !Contains("libx.so+0x2000\n") && Contains("frames hidden: libx.so+0x2000 or"));
  filtered.options.csv = true;
  CHECK_THAT(stacks(), Contains(",libx.so+0x3000;(2 frames hidden)\r\n"));
  filtered.options.csv = false;
  filtered.options.json = true;
  const json site = json::parse(stacks())["stacks"][0];
  CHECK(site["stack"].size() == 1);
  CHECK(site["stack"][0]["offset"] == 0x3000);
  CHECK(site["stack_hidden_frames"] == 2);
  for (const json& chunk : chunks_of(filtered))
    CHECK(chunk["stack"].size() + chunk["stack_hidden_frames"].get<size_t>() == (chunk["size"] == 100 ? 3 : 1));
  // So many that are shown, not that are looked at.
  filtered.options.max_frames = 1;
  CHECK(json::parse(stacks())["stacks"][0]["stack"].size() == 1);
}

TEST_CASE("which frames are hidden", "[filters]") {
  const auto hides = [](std::vector<std::string> patterns, const Frame& frame) {
    std::string problem;
    const HiddenFrames hidden(patterns, problem);
    REQUIRE(problem == "");
    return hidden.hides(frame);
  };
  Frame frame;
  frame.function = "std::vector<int>::push_back(int&&)";
  frame.module = "/usr/lib/libstdc++.so.6";
  CHECK(hides({"std::*"}, frame));
  CHECK(hides({"push_back"}, frame));
  CHECK(hides({"module:libstdc++.so"}, frame));
  CHECK_FALSE(hides({"libstdc++.so"}, frame));
  CHECK_FALSE(hides({"std::*", "!push_back"}, frame));
  CHECK_FALSE(hides({"std::*", "!module:libstdc*"}, frame));
  CHECK(hides({"!app::*"}, frame));
  CHECK_FALSE(hides({"!std::*"}, frame));
  CHECK_FALSE(hides({}, frame));
}

TEST_CASE("in a tree the callees of hidden frames join their callers", "[filters]") {
  Filtered filtered(hiding({"*+0x2000"}));
  filtered.options.json = true;
  filtered.options.by = RankBy::allocated;
  const auto tree = [&] {
    return json::parse(
        written_by([&](Output& out) { report_tree(filtered.trace, filtered.options, out, nullptr); }))["nodes"];
  };
  const json nodes = tree();
  REQUIRE(nodes.size() == 2);
  CHECK(nodes[0]["function"] == "libx.so+0x1000");
  CHECK(nodes[0]["value"] == 150);
  CHECK(nodes[0]["self"] == 50);
  CHECK(nodes[1]["function"] == "libx.so+0x3000");
  CHECK(nodes[1]["parent"] == 0);
  // What is asked for is shown.
  filtered.options.callers = "libx.so+0x2000";
  CHECK(tree()[0]["function"] == "libx.so+0x2000");
}

TEST_CASE("chunks and the summary are of the domain that is asked for", "[filters]") {
  Filtered filtered({});
  CHECK(chunks_of(filtered).size() == 3);
  filtered.options.chunks_domain = "mmap";
  REQUIRE(chunks_of(filtered).size() == 1);
  CHECK(chunks_of(filtered)[0]["domain"] == "mmap");
  filtered.options.chunks_domain = "gpu";
  const auto result = [&] {
    ChunksResult value{};
    written_by([&](Output& out) { value = report_chunks(filtered.trace, filtered.options, out, nullptr); });
    return value;
  };
  CHECK(result() == ChunksResult::empty);
  filtered.options.chunks_domain = "nowhere";
  CHECK(result() == ChunksResult::no_domain);

  const Analysis analysis = analyse(filtered.trace);
  const auto summary = [&](auto report) {
    return written_by([&](Output& out) { CHECK(report(analysis, filtered.options, out, nullptr)); });
  };
  const json heap = json::parse(summary(report_summary_json));
  CHECK(heap["domain"] == "cpu");
  filtered.options.domain = "mmap";
  const json mmap = json::parse(summary(report_summary_json));
  CHECK(mmap["domain"] == "mmap");
  CHECK(mmap["bytes_allocated"] == 8192);
  CHECK(mmap["domains"]["cpu"]["bytes_allocated"] == heap["bytes_allocated"]);
  CHECK(mmap["top"]["open"][0]["open"]["bytes"] == 8192);
  CHECK_THAT(summary(report_summary_text), Contains("  mmap   ") && Contains("  heap   "));
  filtered.options.domain = "nowhere";
  CHECK(written_by([&](Output& out) { CHECK_FALSE(report_summary_text(analysis, filtered.options, out)); }).empty());
}

TEST_CASE("numbers of a window: what was open before it, and what is freed after it", "[filters]") {
  FilterTexts texts;
  texts.from = "1500us";
  texts.to = "loaded";
  Filtered filtered(texts);
  const Analysis analysis = analyse(filtered.trace);
  const std::string text = written_by([&](Output& out) { report_summary_text(analysis, filtered.options, out); });
  CHECK_THAT(text, Contains("open at 1.5 ms") && Contains("open at 4.0 ms") && Contains("Open at 4.0 ms: 150 B in 2"));
  CHECK_THAT(text, Contains("Allocated in the window: 50 B in 1 block"));
  filtered.options.json = true;
  const json d = json::parse(written_by([&](Output& out) { report_summary_json(analysis, filtered.options, out); }));
  CHECK(d["window"]["open_at_start"] == json({{"chunks", 1}, {"bytes", 100}}));
  CHECK(d["open"] == json({{"chunks", 2}, {"bytes", 150}}));
  CHECK(d["closed"] == json({{"chunks", 0}, {"bytes", 0}}));
  CHECK(d["allocations"] == 1);
  const json older = json::parse(filtered.every_report().back().second);
  CHECK(older["end_ns"] == 4'000'000);
  CHECK(older["total"] == 150);
  filtered.options.points = 1;
  const json timeline =
      json::parse(written_by([&](Output& out) { report_timeline(filtered.trace, filtered.options, out, nullptr); }));
  CHECK(timeline["series"]["min_bytes"] == json({100}));
  CHECK(timeline["series"]["max_bytes"] == json({150}));
  CHECK(timeline["series"]["allocations"] == json({1}));
}

TEST_CASE("growth is sampled in the window", "[filters]") {
  TraceBuilder b;
  const uint32_t stack = b.stack(0x100);
  // Grows in the first half and shrinks in the second.
  for (uint64_t i = 0; i < 100; ++i) b.alloc(1, 10'000 * i + 1, 0x1000 * (i + 1), 1000, stack);
  for (uint64_t i = 0; i < 100; ++i) b.free(1, 1'000'000 + 10'000 * i, 0x1000 * (i + 1));
  b.close(2'000'000);
  const Bytes bytes = b.build();
  const auto growing = [&](const std::string& from, const std::string& to) {
    Trace trace(open_bytes(bytes));
    ReportOptions options;
    options.symbols = false;
    options.json = true;
    options.filters.from = from;
    options.filters.to = to;
    trace.selection = build_selection(trace, options.filters, false, nullptr).selection;
    return json::parse(written_by([&](Output& out) { report_leaks_growth(trace, options, out, nullptr); }))["stacks"];
  };
  CHECK(growing("start", "end").empty());
  CHECK(growing("50%", "end").empty());
  const json first = growing("20%", "45%");
  REQUIRE(first.size() == 1);
  CHECK(first[0]["open_bytes_samples"][0] == 40'000);
  CHECK(first[0]["growth_bytes"].get<uint64_t>() > 45'000);
  CHECK(first[0]["growth_bytes"].get<uint64_t>() <= 50'000);
}

TEST_CASE("the timeline of a window begins and ends with it", "[filters]") {
  FilterTexts texts;
  texts.from = "2ms";
  texts.to = "6ms";
  Filtered filtered(texts);
  filtered.options.json = true;
  filtered.options.points = 4;
  const json document =
      json::parse(written_by([&](Output& out) { report_timeline(filtered.trace, filtered.options, out, nullptr); }));
  CHECK(document["begin_ns"] == json({2'000'000, 3'000'000, 4'000'000, 5'000'000}));
  CHECK(document["end_ns"] == 6'000'000);
  CHECK(document["duration_ns"] == 10'000'000);
  REQUIRE(document["marks"].size() == 1);
  CHECK(document["marks"][0]["interval"] == 2);
}
