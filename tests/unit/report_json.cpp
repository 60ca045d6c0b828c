#include <algorithm>
#include <catch2/catch.hpp>

#include <map>
#include <sstream>

#include "report/reports.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using format::Function;
using nlohmann::json;

namespace {

TraceBuilder sample() {
  TraceBuilder b;
  b.add_command({"./app",
                 "bad\xff"
                 "bytes",
                 "esc\x1b[2J"});
  const uint32_t module = b.add_module("/no/such/libx.so", 0x400000, 0x500000, 0x400000);
  const uint32_t outer = b.add_node(format::kRootWhole, module, 0x1150);
  const uint32_t inner = b.add_node(outer, module, 0x1204);
  const uint32_t cut = b.add_node(format::kRootDepthLimit, format::kNoModule, 0x777);
  b.alloc(1, 1000, 0x1000, 24, inner);
  b.free(2, 2000, 0x1000);
  b.alloc(1, 3000, 0x2000, 48, cut, Function::operator_new_array);
  b.free(1, 4000, 0x2000);
  b.alloc(1, 5000, 0x3000, 0, outer);
  b.free(1, 20'000, 0x9000);
  b.alloc(1, 30'000, 0x7f0000000000, 8192, outer, Function::mmap);
  b.header.dropped_events[static_cast<size_t>(format::DropCause::no_space)] = 7;
  b.header.verify_checked = 5;
  b.close(1'000'000);
  return b;
}

ReportOptions plain() {
  ReportOptions options;
  options.symbols = false;
  return options;
}

}  // namespace

TEST_CASE("the summary has every key that is promised, with the right numbers", "[report]") {
  TraceBuilder b = sample();
  const Analysed a(b);
  const json d = json::parse(written_by([&](Output& out) { report_summary_json(a.result, plain(), out); }));
  CHECK(d["schema"] == "memprof.summary/1");
  const json& t = d["trace"];
  CHECK(t["format_version"] == 1);
  CHECK(t["pid"] == 4242);
  CHECK(t["command"] == json({"./app",
                              "bad\xef\xbf\xbd"
                              "bytes",
                              "esc\x1b[2J"}));
  CHECK(t["duration_ns"] == 1'000'000);
  CHECK(t["threads"] == 2);
  CHECK(t["events"] == 7);
  CHECK(t["bytes"] == b.build().size());
  CHECK(t["complete"] == true);
  CHECK(t["dropped_events"] == 7);
  CHECK(t["damaged_pages"] == 0);
  CHECK(d["allocations"] == 3);
  CHECK(d["frees"] == 3);
  CHECK(d["bytes_allocated"] == 72);
  CHECK(d["temporary"] == 1);
  CHECK(d["stacks"] == 3);
  CHECK(d["truncated_stacks"] == 1);
  CHECK(d["open"] == json({{"chunks", 1}, {"bytes", 0}}));
  CHECK(d["closed"] == json({{"chunks", 2}, {"bytes", 72}}));
  CHECK(d["orphaned"] == json({{"chunks", 1}, {"inherited", 0}, {"before_start", 0}, {"unknown", 1}}));
  CHECK(d["peak"] == json({{"bytes", 48}, {"chunks", 1}, {"time_ns", 3000}}));
  CHECK(d["mismatched_frees"] == 1);
  CHECK(d["double_allocations"] == 0);
  CHECK(d["filtered_frees"] == 0);
  CHECK(d["verify"] == json({{"checked", 5}, {"mismatches", 0}}));
  CHECK(d["dropped"] == json({{"no_space", 7}}));
  const json& mmap = d["domains"]["mmap"];
  CHECK(mmap["allocations"] == 1);
  CHECK(mmap["open"] == json({{"chunks", 1}, {"bytes", 8192}}));
  for (const char* key :
       {"frees", "bytes_allocated", "temporary", "stacks", "truncated_stacks", "closed", "orphaned", "peak"})
    CHECK(mmap.contains(key));
}

TEST_CASE("an empty trace has a summary of zeros", "[report]") {
  TraceBuilder b;
  const Analysed a(b);
  const json d = json::parse(written_by([&](Output& out) { report_summary_json(a.result, plain(), out); }));
  CHECK(d["allocations"] == 0);
  CHECK(d["trace"]["complete"] == false);
  CHECK(d["trace"]["end"] == "died");
  CHECK(d["trace"]["threads"] == 0);
  CHECK_FALSE(written_by([&](Output& out) { report_summary_text(a.result, plain(), out); }).empty());
}

TEST_CASE("chunks are one object a line with all fields", "[report]") {
  const Trace trace(open_bytes(sample().build()));
  std::map<std::string, std::vector<json>> by_state;
  std::istringstream lines(written_by([&](Output& out) { report_chunks(trace, plain(), out, nullptr); }));
  for (std::string line; std::getline(lines, line);) {
    const json chunk = json::parse(line);
    by_state[chunk["state"]].push_back(chunk);
    for (const char* key : {"state", "address", "size", "alloc_time_ns", "free_time_ns", "thread", "free_thread",
                            "domain", "allocator", "free_function", "tags", "mismatched", "truncated", "stack"})
      CHECK(chunk.contains(key));
    for (const json& frame : chunk["stack"])
      for (const char* key : {"function", "file", "line", "module", "offset", "inlined"}) CHECK(frame.contains(key));
  }
  REQUIRE(by_state["closed"].size() == 2);
  std::sort(by_state["closed"].begin(), by_state["closed"].end(),
            [](const json& a, const json& b) { return a["alloc_time_ns"] < b["alloc_time_ns"]; });
  const json& first = by_state["closed"][0];
  CHECK(first["address"] == "0x1000");
  CHECK(first["size"] == 24);
  CHECK(first["alloc_time_ns"] == 1000);
  CHECK(first["free_time_ns"] == 2000);
  CHECK(first["thread"] == 1);
  CHECK(first["free_thread"] == 2);
  CHECK(first["domain"] == "cpu");
  CHECK(first["allocator"] == "malloc");
  CHECK(first["free_function"] == "free");
  CHECK(first["tags"] == json::array());
  CHECK(first["mismatched"] == false);
  CHECK(first["stack"].size() == 2);
  CHECK(first["stack"][0]["module"] == "/no/such/libx.so");
  CHECK(first["stack"][0]["offset"] == 0x1204);
  CHECK(first["stack"][0]["function"].is_null());
  CHECK(by_state["closed"][1]["mismatched"] == true);
  CHECK(by_state["closed"][1]["truncated"] == true);
  REQUIRE(by_state["open"].size() == 2);
  CHECK(by_state["open"][0]["size"] == 0);
  CHECK(by_state["open"][0]["free_time_ns"].is_null());
  CHECK(by_state["open"][0]["free_thread"].is_null());
  REQUIRE(by_state["orphaned"].size() == 1);
  const json& orphan = by_state["orphaned"][0];
  CHECK(orphan["alloc_time_ns"].is_null());
  CHECK(orphan["thread"].is_null());
  CHECK(orphan["size"].is_null());
  CHECK(orphan["allocator"].is_null());
  CHECK(orphan["free_thread"] == 1);
  CHECK(orphan["orphan"] == "unknown");
}

TEST_CASE("chunks of one state leave the others out", "[report]") {
  Trace trace(open_bytes(sample().build()));
  const std::pair<BlockState, const char*> states[] = {
      {BlockState::open, "open"}, {BlockState::closed, "closed"}, {BlockState::orphaned, "orphaned"}};
  for (const auto& [state, name] : states) {
    trace.selection.state = state;
    std::istringstream lines(written_by([&](Output& out) { report_chunks(trace, plain(), out, nullptr); }));
    size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) CHECK(json::parse(line)["state"] == name);
    CHECK(count > 0);
  }
}

TEST_CASE("stacks and leaks list every site with its numbers", "[report]") {
  TraceBuilder b = sample();
  const Analysed a(b);
  ReportOptions options = plain();
  options.json = true;
  options.by = RankBy::allocated;
  const json d = json::parse(written_by([&](Output& out) { REQUIRE(report_stacks(a.result, options, out)); }));
  CHECK(d["schema"] == "memprof.stacks/1");
  CHECK(d["by"] == "allocated");
  REQUIRE(d["stacks"].size() == 2);
  CHECK(d["stacks"][0]["bytes_allocated"] == 48);
  CHECK(d["stacks"][0]["allocator"] == "new[]");
  CHECK(d["stacks"][0]["at_peak"]["bytes"] == 48);
  const json leaks = json::parse(written_by([&](Output& out) { REQUIRE(report_leaks(a.result, options, out)); }));
  CHECK(leaks["schema"] == "memprof.leaks/1");
  CHECK(leaks["by"] == "open");
  REQUIRE(leaks["stacks"].size() == 1);
  CHECK(leaks["stacks"][0]["open"]["chunks"] == 1);
  options.domain = "no such";
  written_by([&](Output& out) { CHECK_FALSE(report_stacks(a.result, options, out)); });
}

TEST_CASE("the figure of bytes a pair counts page headers and both halves of a realloc", "[report]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 1, 0x1000, 8, s);
  b.realloc(1, 2, 3, 0x1000, 0x2000, 8, s);
  b.free(1, 4, 0x2000);
  b.close(100);
  const size_t bytes = sizeof(format::PageHeader) + b.pages().back().payload.size();
  const Trace trace(open_bytes(b.build()));
  ReportOptions options;
  options.json = true;
  const json d = json::parse(written_by([&](Output& out) { report_dump_stats(trace, options, out); }));
  CHECK(d["events"] == 3);
  CHECK(d["allocations"] == 2);
  CHECK(d["frees"] == 2);
  CHECK(d["bytes_per_pair"].get<double>() == Approx(static_cast<double>(bytes) / 2));
  CHECK(d["bytes_per_event"].get<double>() == Approx(static_cast<double>(bytes) / 3));
  CHECK(d["streams"]["events"]["used_bytes"] == bytes);
  CHECK(d["events_by_function"]["realloc"] == 1);
}
