// Every number of the tables against a slow account of random traces.
#include <algorithm>
#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>
#include <set>
#include <sstream>

#include "report/csv.h"
#include "report/quantiles.h"
#include "report/reports.h"
#include "table_history.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

ReportOptions plain() {
  ReportOptions options;
  options.symbols = false;
  return options;
}

ReportOptions as_json() {
  ReportOptions options = plain();
  options.json = true;
  return options;
}

std::string stacks_of(History& history, const ReportOptions& options) {
  Trace trace(open_bytes(history.builder.build()));
  const SiteExtras extras(trace, options);
  const Analysis analysis = analyse(trace, extras.visitor());
  return written_by([&](Output& out) { REQUIRE(report_stacks(analysis, options, out, extras)); });
}

template <class Report>
std::string report_of(History& history, const ReportOptions& options, Report report) {
  Trace trace(open_bytes(history.builder.build()));
  return written_by([&](Output& out) { REQUIRE(report(trace, options, out, nullptr)); });
}

std::string tree_of(History& history, const ReportOptions& options) {
  Trace trace(open_bytes(history.builder.build()));
  return written_by([&](Output& out) { REQUIRE(report_tree(trace, options, out, nullptr) == TreeResult::done); });
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) (text += text.empty() ? "" : ";") += name;
  return text;
}

std::string name_of_frame(const json& frame) {
  const std::string path = frame["module"];
  std::ostringstream text;
  text << path.substr(path.rfind('/') + 1) << "+0x" << std::hex << frame["offset"].get<uint64_t>();
  return text.str();
}

// As RFC 4180 says, with no leniency: CRLF after every row, the same number of fields in each.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1, {""});
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_quoted) {
      if (c != '"')
        rows.back().back() += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        rows.back().back() += text[++i];
      else
        is_quoted = false;
    } else if (c == '"') {
      is_quoted = true;
    } else if (c == ',') {
      rows.back().emplace_back();
    } else if (c == '\r') {
      REQUIRE(text[++i] == '\n');
      rows.push_back({""});
    } else {
      REQUIRE(c != '\n');
      rows.back().back() += c;
    }
  }
  REQUIRE(rows.back() == std::vector<std::string>{""});
  rows.pop_back();
  for (const auto& row : rows) REQUIRE(row.size() == rows.front().size());
  return rows;
}

using CsvRow = std::map<std::string, std::string>;
std::vector<CsvRow> csv_rows(const std::string& text) {
  const auto rows = parse_csv(text);
  std::vector<CsvRow> result;
  for (size_t i = 1; i < rows.size(); ++i) {
    CsvRow& row = result.emplace_back();
    for (size_t k = 0; k < rows[i].size(); ++k) row[rows[0][k]] = rows[i][k];
  }
  return result;
}

uint64_t number(const CsvRow& row, const char* column) { return std::stoull(row.at(column)); }

void check_group(const json& got, const HistorySums& want) {
  CHECK(got["allocations"] == want.allocations);
  CHECK(got["bytes_allocated"] == want.bytes);
  CHECK(got["open"]["chunks"] == want.open);
  CHECK(got["open"]["bytes"] == want.open_bytes);
  CHECK(got["peak"]["bytes"] == want.peak);
  if (want.peak != 0) CHECK(got["peak"]["time_ns"] == want.peak_time);
  CHECK(got["at_peak"]["bytes"] == want.at_peak);
  CHECK(got["at_peak"]["chunks"] == want.at_peak_blocks);
  CHECK(got["lifetime"]["blocks"] == want.freed);
  CHECK(got["lifetime"]["sum_ns"] == want.lifetime);
  CHECK(got["lifetime"]["mean_ns"] == (want.freed == 0 ? 0 : want.lifetime / want.freed));
  CHECK(got["realloc"]["calls"] == want.reallocs);
  CHECK(got["realloc"]["bytes_taken"] == want.taken);
  CHECK(got["realloc"]["bytes_returned"] == want.returned);
}

// The smallest value that at least `percent` of all do not exceed.
uint64_t nearest_rank(std::vector<uint64_t> values, double percent) {
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); ++i)
    if (1000 * (i + 1) >= static_cast<uint64_t>(std::lround(percent * 10)) * values.size()) return values[i];
  return values.back();
}

void check_percentiles(const json& got, const std::vector<uint64_t>& values) {
  REQUIRE_FALSE(values.empty());
  CHECK(got["blocks"] == values.size());
  CHECK(got["min"] == *std::min_element(values.begin(), values.end()));
  CHECK(got["max"] == *std::max_element(values.begin(), values.end()));
  for (const auto& [key, percent] : {std::pair("p50", 50.0), std::pair("p90", 90.0), std::pair("p99", 99.0)}) {
    const auto want = static_cast<double>(nearest_rank(values, percent));
    CHECK(std::abs(got[key].get<double>() - want) <= want / 256);
  }
}

struct WantedBin {
  uint64_t blocks = 0, bytes = 0, open = 0, open_bytes = 0;
};

void check_bins(const json& bins, const std::vector<std::pair<uint64_t, const HistoryBlock*>>& values) {
  uint64_t blocks = 0, last = 0;
  for (const json& bin : bins) {
    const uint64_t from = bin["from"], below = bin["below"];
    CHECK(from >= last);
    CHECK(below > from);
    last = below;
    WantedBin want;
    for (const auto& [value, block] : values) {
      if (value < from || value >= below) continue;
      ++want.blocks;
      want.bytes += block->size;
      if (block->died) continue;
      ++want.open;
      want.open_bytes += block->size;
    }
    CHECK(want.blocks != 0);
    CHECK(bin["blocks"] == want.blocks);
    CHECK(bin["bytes"] == want.bytes);
    CHECK(bin["open"]["chunks"] == want.open);
    CHECK(bin["open"]["bytes"] == want.open_bytes);
    blocks += want.blocks;
  }
  CHECK(blocks == values.size());
}

constexpr uint64_t kSeeds[] = {1, 2, 3, 4, 5, 6, 7, 8};

}  // namespace

TEST_CASE("groups have the numbers of all their blocks, their own peaks among them", "[tables]") {
  for (const uint64_t seed : kSeeds) {
    History history(seed);
    const std::map<GroupBy, History::Key> keys = {
        {GroupBy::function, [&](size_t stack, uint32_t, const std::string&) { return history.stacks[stack].front(); }},
        {GroupBy::module, [&](size_t stack, uint32_t, const std::string&) { return history.modules[stack]; }},
        {GroupBy::file,
         [&](size_t stack, uint32_t, const std::string&) { return "(no file known) " + history.modules[stack]; }},
        {GroupBy::thread,
         [](size_t, uint32_t thread, const std::string&) {
           return std::to_string(thread) + " (" + std::to_string(5000 + thread) + ")";
         }},
        {GroupBy::allocator, [](size_t, uint32_t, const std::string& function) { return function; }},
        {GroupBy::tag, [](size_t, uint32_t, const std::string&) { return std::string("(no tag)"); }},
        {GroupBy::domain, [](size_t, uint32_t, const std::string&) { return std::string("cpu"); }}};
    for (const auto& [by, key] : keys) {
      CAPTURE(seed, group_name(by));
      ReportOptions options = as_json();
      options.group = by;
      options.by = RankBy::allocations;
      const json d = json::parse(stacks_of(history, options));
      const auto want = history.sums(key);
      CHECK(d["group"] == group_name(by));
      CHECK(d["stacks"].size() == want.size());
      for (const json& group : d["stacks"]) {
        const std::string name = group["group"]["name"];
        CAPTURE(name);
        const auto found = want.find(name);
        REQUIRE(found != want.end());
        check_group(group, found->second);
      }
    }
  }
}

TEST_CASE("stacks by lifetime and by realloc growth agree with a slow account", "[tables]") {
  for (const uint64_t seed : kSeeds) {
    History history(seed);
    const auto want =
        history.sums([&](size_t stack, uint32_t, const std::string&) { return joined(history.stacks[stack]); });
    for (const RankBy by : {RankBy::lifetime, RankBy::realloc_growth}) {
      ReportOptions options = as_json();
      options.by = by;
      const json d = json::parse(stacks_of(history, options));
      uint64_t last = UINT64_MAX, total = 0;
      size_t sites = 0;
      const auto value_of = [&](const HistorySums& sums) {
        return by == RankBy::lifetime ? sums.lifetime : sums.returned - std::min(sums.returned, sums.taken);
      };
      for (const auto& [name, sums] : want) {
        total += value_of(sums);
        sites += value_of(sums) != 0;
      }
      CHECK(d["total"] == total);
      CHECK(d["stacks"].size() == sites);
      for (const json& site : d["stacks"]) {
        std::vector<std::string> names;
        for (const json& frame : site["stack"]) names.push_back(name_of_frame(frame));
        const HistorySums& sums = want.at(joined(names));
        check_group(site, sums);
        CHECK(value_of(sums) <= last);
        last = value_of(sums);
      }
    }
  }
}

TEST_CASE("the CSV of stacks has the numbers of its JSON", "[tables]") {
  History history(11);
  for (const GroupBy group : {GroupBy::stack, GroupBy::function, GroupBy::thread}) {
    ReportOptions options = as_json();
    options.group = group;
    const json d = json::parse(stacks_of(history, options));
    options.json = false;
    options.csv = true;
    const auto rows = csv_rows(stacks_of(history, options));
    REQUIRE(rows.size() == d["stacks"].size());
    for (size_t i = 0; i < rows.size(); ++i) {
      const json& site = d["stacks"][i];
      CHECK(number(rows[i], "allocations") == site["allocations"]);
      CHECK(number(rows[i], "bytes_allocated") == site["bytes_allocated"]);
      CHECK(number(rows[i], "open_chunks") == site["open"]["chunks"]);
      CHECK(number(rows[i], "open_bytes") == site["open"]["bytes"]);
      CHECK(number(rows[i], "closed_chunks") == site["closed"]["chunks"]);
      CHECK(number(rows[i], "closed_bytes") == site["closed"]["bytes"]);
      CHECK(number(rows[i], "temporary") == site["temporary"]);
      CHECK(number(rows[i], "peak_bytes") == site["peak"]["bytes"]);
      CHECK(number(rows[i], "peak_time_ns") == site["peak"]["time_ns"]);
      CHECK(number(rows[i], "at_peak_bytes") == site["at_peak"]["bytes"]);
      CHECK(number(rows[i], "at_peak_chunks") == site["at_peak"]["chunks"]);
      CHECK(number(rows[i], "lifetime_sum_ns") == site["lifetime"]["sum_ns"]);
      CHECK(number(rows[i], "lifetime_mean_ns") == site["lifetime"]["mean_ns"]);
      CHECK(number(rows[i], "reallocs") == site["realloc"]["calls"]);
      CHECK(number(rows[i], "realloc_bytes_taken") == site["realloc"]["bytes_taken"]);
      CHECK(number(rows[i], "realloc_bytes_returned") == site["realloc"]["bytes_returned"]);
      if (group == GroupBy::stack) {
        std::vector<std::string> names;
        for (const json& frame : site["stack"]) names.push_back(name_of_frame(frame));
        CHECK(rows[i].at("stack") == joined(names));
      } else {
        CHECK(rows[i].at("group") == site["group"]["name"]);
      }
    }
  }
}

namespace {

struct WantedNode {
  uint64_t value = 0, self = 0;
  uint64_t times = 0;
};

// By the joined path from the top of the tree.
std::map<std::string, WantedNode> wanted_tree(const History& history, bool bottom_up, const std::string& callers) {
  std::map<std::string, WantedNode> tree;
  for (const HistoryBlock& block : history.blocks) {
    std::vector<std::string> frames = history.stacks[block.stack];
    if (!callers.empty()) frames.erase(frames.begin(), std::find(frames.begin(), frames.end(), callers));
    if (!bottom_up) std::reverse(frames.begin(), frames.end());
    if (frames.empty() || block.size == 0) continue;
    std::vector<std::string> path;
    for (const std::string& frame : frames)
      if (std::find(path.begin(), path.end(), frame) == path.end()) path.push_back(frame);
    std::string key;
    for (size_t i = 0; i < path.size(); ++i) {
      (key += i == 0 ? "" : ";") += path[i];
      WantedNode& node = tree[key];
      node.value += block.size;
      if (i + 1 == path.size()) node.self += block.size;
      node.times =
          std::max<uint64_t>(node.times, static_cast<uint64_t>(std::count(frames.begin(), frames.end(), path[i])));
    }
  }
  return tree;
}

}  // namespace

TEST_CASE("trees have every folded path with its sums, and no block twice", "[tables]") {
  for (const uint64_t seed : kSeeds) {
    History history(seed);
    const std::string callee = history.stacks[3].front();
    for (const auto& [direction, callers] :
         {std::pair(TreeDirection::top_down, std::string()), std::pair(TreeDirection::bottom_up, std::string()),
          std::pair(TreeDirection::top_down, callee)}) {
      for (const double percent : {0.0, 7.0}) {
        CAPTURE(seed, static_cast<int>(direction), callers, percent);
        ReportOptions options = as_json();
        options.by = RankBy::allocated;
        options.direction = direction;
        options.callers = callers;
        options.min_percent = percent;
        const json d = json::parse(tree_of(history, options));
        auto want = wanted_tree(history, direction == TreeDirection::bottom_up || !callers.empty(), callers);
        uint64_t tree_total = 0, all = 0;
        for (const auto& [path, node] : want) tree_total += path.find(';') == std::string::npos ? node.value : 0;
        for (const HistoryBlock& block : history.blocks) all += block.size;
        CHECK(d["total"] == all);
        CHECK(d["tree_total"] == tree_total);
        std::erase_if(want, [&](const auto& entry) {
          return static_cast<double>(entry.second.value) < percent / 100 * static_cast<double>(tree_total);
        });
        CHECK(d["nodes"].size() == want.size());
        std::vector<std::string> paths;
        std::map<std::string, uint64_t> by_function;
        for (const json& node : d["nodes"]) {
          const std::string name = node["function"];
          paths.push_back(node["parent"].is_null() ? name : paths.at(node["parent"].get<size_t>()) + ";" + name);
          const auto found = want.find(paths.back());
          REQUIRE(found != want.end());
          CHECK(node["value"] == found->second.value);
          CHECK(node["self"] == found->second.self);
          CHECK(node["times"] == found->second.times);
          CHECK(node["depth"] == std::count(paths.back().begin(), paths.back().end(), ';'));
          by_function[name] += node["value"].get<uint64_t>();
        }
        if (percent == 0 && callers.empty()) {
          for (const auto& [name, value] : by_function) {
            uint64_t bytes = 0;
            for (const HistoryBlock& block : history.blocks) {
              const auto& stack = history.stacks[block.stack];
              if (std::find(stack.begin(), stack.end(), name) != stack.end()) bytes += block.size;
            }
            CHECK(value == bytes);
          }
        }
        uint64_t left_out = d["left_out"]["value"];
        for (const json& node : d["nodes"])
          left_out += node["left_out"]["value"].get<uint64_t>() + node["self"].get<uint64_t>();
        CHECK(left_out == tree_total);
        options.json = false;
        options.csv = true;
        const auto rows = csv_rows(tree_of(history, options));
        REQUIRE(rows.size() == d["nodes"].size());
        for (size_t i = 0; i < rows.size(); ++i) {
          const json& node = d["nodes"][i];
          CHECK(number(rows[i], "value") == node["value"]);
          CHECK(number(rows[i], "self") == node["self"]);
          CHECK(number(rows[i], "depth") == node["depth"]);
          CHECK(rows[i].at("function") == node["function"]);
          CHECK(rows[i].at("parent") == (node["parent"].is_null() ? "" : node["parent"].dump()));
        }
      }
    }
  }
}

TEST_CASE("a function that is on no stack is told from one without callers", "[tables]") {
  History history(3);
  Trace trace(open_bytes(history.builder.build()));
  ReportOptions options = plain();
  options.callers = "no_such_function";
  std::vector<std::string> functions;
  written_by(
      [&](Output& out) { CHECK(report_tree(trace, options, out, nullptr, &functions) == TreeResult::no_function); });
  CHECK(std::find(functions.begin(), functions.end(), history.stacks[0].front()) != functions.end());
  options.domain = "no such";
  written_by([&](Output& out) { CHECK(report_tree(trace, options, out, nullptr) == TreeResult::no_domain); });
}

TEST_CASE("sizes agree with a sorted list", "[tables]") {
  for (const uint64_t seed : kSeeds) {
    History history(seed);
    CAPTURE(seed);
    const json d = json::parse(report_of(history, as_json(), report_sizes));
    std::vector<uint64_t> values;
    std::vector<std::pair<uint64_t, const HistoryBlock*>> blocks;
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> exact;
    std::map<std::string, std::vector<uint64_t>> by_stack;
    for (const HistoryBlock& block : history.blocks) {
      values.push_back(block.size);
      blocks.emplace_back(block.size, &block);
      ++exact[block.size].first;
      exact[block.size].second += !block.died;
      by_stack[joined(history.stacks[block.stack])].push_back(block.size);
    }
    check_percentiles(d["size"], values);
    CHECK(d["bytes"] == std::accumulate(values.begin(), values.end(), uint64_t{0}));
    CHECK(d["size"]["mean"] == std::accumulate(values.begin(), values.end(), uint64_t{0}) / values.size());
    check_bins(d["bins"], blocks);
    REQUIRE(d["exact_sizes"].size() == exact.size());
    uint64_t last = UINT64_MAX;
    for (const json& entry : d["exact_sizes"]) {
      CHECK(entry["blocks"] == exact.at(entry["size"]).first);
      CHECK(entry["open_blocks"] == exact.at(entry["size"]).second);
      CHECK(entry["blocks"] <= last);
      last = entry["blocks"];
    }
    REQUIRE(d["sites"].size() == by_stack.size());
    for (const json& site : d["sites"]) {
      std::vector<std::string> names;
      for (const json& frame : site["stack"]) names.push_back(name_of_frame(frame));
      check_percentiles(site, by_stack.at(joined(names)));
    }
  }
}

TEST_CASE("lifetimes agree with a sorted list", "[tables]") {
  for (const uint64_t seed : kSeeds) {
    History history(seed);
    CAPTURE(seed);
    ReportOptions options = as_json();
    options.group = GroupBy::module;
    const json d = json::parse(report_of(history, options, report_lifetimes));
    std::vector<uint64_t> values;
    std::vector<std::pair<uint64_t, const HistoryBlock*>> blocks;
    std::map<std::string, std::vector<uint64_t>> by_module;
    uint64_t open = 0, open_bytes = 0;
    for (const HistoryBlock& block : history.blocks) {
      if (!block.died) {
        ++open;
        open_bytes += block.size;
        continue;
      }
      values.push_back(block.lifetime());
      blocks.emplace_back(block.lifetime(), &block);
      by_module[history.modules[block.stack]].push_back(block.lifetime());
    }
    check_percentiles(d["lifetime_ns"], values);
    check_bins(d["bins"], blocks);
    CHECK(d["open"]["chunks"] == open);
    CHECK(d["open"]["bytes"] == open_bytes);
    REQUIRE(d["sites"].size() == by_module.size());
    for (const json& site : d["sites"]) check_percentiles(site, by_module.at(site["group"]["name"]));
  }
}

TEST_CASE("the CSV tables of sizes, lifetimes and threads have the numbers of their JSON", "[tables]") {
  History history(12);
  const auto csv_of = [&](auto report, const char* table) {
    ReportOptions options = plain();
    options.csv = true;
    options.table = table;
    return csv_rows(report_of(history, options, report));
  };
  const json sizes = json::parse(report_of(history, as_json(), report_sizes));
  const auto size_bins = csv_of(report_sizes, "");
  REQUIRE(size_bins.size() == sizes["bins"].size());
  for (size_t i = 0; i < size_bins.size(); ++i) {
    CHECK(number(size_bins[i], "from_bytes") == sizes["bins"][i]["from"]);
    CHECK(number(size_bins[i], "below_bytes") == sizes["bins"][i]["below"]);
    CHECK(number(size_bins[i], "blocks") == sizes["bins"][i]["blocks"]);
    CHECK(number(size_bins[i], "bytes") == sizes["bins"][i]["bytes"]);
    CHECK(number(size_bins[i], "open_bytes") == sizes["bins"][i]["open"]["bytes"]);
  }
  const auto exact = csv_of(report_sizes, "exact");
  REQUIRE(exact.size() == sizes["exact_sizes"].size());
  CHECK(number(exact[0], "size_bytes") == sizes["exact_sizes"][0]["size"]);
  CHECK(number(exact[0], "blocks") == sizes["exact_sizes"][0]["blocks"]);
  const json lifetimes = json::parse(report_of(history, as_json(), report_lifetimes));
  const auto sites = csv_of(report_lifetimes, "sites");
  REQUIRE(sites.size() == lifetimes["sites"].size());
  for (size_t i = 0; i < sites.size(); ++i) {
    CHECK(number(sites[i], "p99_ns") == lifetimes["sites"][i]["p99"]);
    CHECK(number(sites[i], "max_ns") == lifetimes["sites"][i]["max"]);
    CHECK(number(sites[i], "blocks") == lifetimes["sites"][i]["blocks"]);
  }
  const json threads = json::parse(report_of(history, as_json(), report_threads));
  const auto rows = csv_of(report_threads, "");
  REQUIRE(rows.size() == threads["threads"].size());
  for (size_t i = 0; i < rows.size(); ++i)
    for (const char* key : {"thread", "id", "allocations", "bytes_allocated", "frees", "bytes_freed"})
      CHECK(number(rows[i], key) == threads["threads"][i][key]);
  const auto pairs = csv_of(report_threads, "hand-overs");
  REQUIRE(pairs.size() == threads["hand_overs"].size());
  for (size_t i = 0; i < pairs.size(); ++i)
    for (const char* key : {"allocated_by", "freed_by", "blocks", "bytes"})
      CHECK(number(pairs[i], key) == threads["hand_overs"][i][key]);
}

TEST_CASE("threads and their hand-overs agree with a slow account", "[tables]") {
  for (const uint64_t seed : kSeeds) {
    History history(seed);
    CAPTURE(seed);
    const json d = json::parse(report_of(history, as_json(), report_threads));
    const auto sums = history.sums([](size_t, uint32_t thread, const std::string&) { return std::to_string(thread); });
    std::map<std::pair<uint32_t, uint32_t>, std::pair<uint64_t, uint64_t>> pairs;
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> frees;
    std::set<uint32_t> seen;
    for (const HistoryBlock& block : history.blocks) {
      seen.insert(block.thread);
      if (!block.died) continue;
      seen.insert(block.killer);
      auto& pair = pairs[{block.thread, block.killer}];
      ++pair.first;
      pair.second += block.size;
      ++frees[block.killer].first;
      frees[block.killer].second += block.size;
    }
    CHECK(d["peak_bytes"] == history.peak);
    CHECK(d["threads"].size() == seen.size());
    uint64_t at_peak = 0;
    for (const json& row : d["threads"]) {
      const uint32_t thread = row["thread"];
      const HistorySums& want = sums.at(std::to_string(thread));
      CHECK(row["allocations"] == want.allocations);
      CHECK(row["bytes_allocated"] == want.bytes);
      CHECK(row["open"]["bytes"] == want.open_bytes);
      CHECK(row["open"]["chunks"] == want.open);
      CHECK(row["peak"]["bytes"] == want.peak);
      CHECK(row["at_peak"]["bytes"] == want.at_peak);
      CHECK(row["frees"] == frees[thread].first);
      CHECK(row["bytes_freed"] == frees[thread].second);
      CHECK(row["orphaned_frees"] == 0);
      at_peak += row["at_peak"]["bytes"].get<uint64_t>();
    }
    CHECK(at_peak == history.peak);
    CHECK(d["hand_overs"].size() == pairs.size());
    for (const json& pair : d["hand_overs"]) {
      const auto& want = pairs.at({pair["allocated_by"], pair["freed_by"]});
      CHECK(pair["blocks"] == want.first);
      CHECK(pair["bytes"] == want.second);
    }
  }
}

TEST_CASE("percentiles are within the bound that is stated, whatever the values", "[tables]") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 40; ++round) {
    Quantiles whole, left, right;
    std::vector<uint64_t> values;
    const unsigned bits = 1 + static_cast<unsigned>(round) % 64;
    for (size_t i = 0; i < 1 + random() % 3000; ++i) {
      const uint64_t value = random() >> (random() % bits + (64 - bits) / 2) % 64;
      values.push_back(value);
      whole.add(value);
      (random() % 2 ? left : right).add(value);
    }
    left.merge(right);
    for (const double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const auto want = static_cast<double>(nearest_rank(values, percent));
      CHECK(std::abs(static_cast<double>(whole.percentile(percent)) - want) <= want * Quantiles::kRelativeError);
      CHECK(left.percentile(percent) == whole.percentile(percent));
    }
    CHECK(left.count() == values.size());
    CHECK(whole.percentile(100) == whole.max());
  }
  CHECK(Quantiles().percentile(50) == 0);
}

TEST_CASE("the tables fit the screen, and an empty one says why", "[tables]") {
  const auto texts_of = [](History& history) {
    std::vector<std::string> texts;
    for (const GroupBy group : {GroupBy::stack, GroupBy::function, GroupBy::thread}) {
      ReportOptions options = plain();
      options.group = group;
      for (const RankBy by : {RankBy::peak, RankBy::lifetime, RankBy::realloc_growth}) {
        options.by = by;
        Trace trace(open_bytes(history.builder.build()));
        const SiteExtras extras(trace, options);
        const Analysis analysis = analyse(trace, extras.visitor());
        texts.push_back(written_by([&](Output& out) { report_stacks(analysis, options, out, extras); }));
      }
      options.by = RankBy::allocated;
      texts.push_back(report_of(history, options, report_sizes));
      texts.push_back(report_of(history, options, report_lifetimes));
    }
    texts.push_back(report_of(history, plain(), report_threads));
    for (const TreeDirection direction : {TreeDirection::top_down, TreeDirection::bottom_up}) {
      ReportOptions options = plain();
      options.by = RankBy::allocated;
      options.direction = direction;
      options.min_percent = 0;
      texts.push_back(tree_of(history, options));
    }
    return texts;
  };
  for (const bool is_rich : {true, false}) {
    History history(9, is_rich);
    for (const std::string& text : texts_of(history)) {
      CHECK_FALSE(text.empty());
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        CHECK(line.size() <= 100);
      }
    }
  }
  History few(9, false);
  CHECK_THAT(report_of(few, plain(), report_sizes), Contains("All sizes\n") && !Contains("powers of two"));
  ReportOptions gpu = plain();
  gpu.domain = "gpu";
  CHECK_THAT(report_of(few, gpu, report_sizes), Contains("No block was allocated in domain gpu"));
  CHECK_THAT(report_of(few, gpu, report_lifetimes), Contains("No block of domain gpu was freed"));
  CHECK_THAT(report_of(few, gpu, report_threads), Contains("No thread allocated or freed anything in domain gpu"));
  CHECK_THAT(tree_of(few, gpu), Contains("Nothing to show: no stack of domain gpu has any bytes open at the end"));
}

TEST_CASE("names in CSV can neither break a row nor move the cursor", "[tables]") {
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_field("f(int, \"x\")") == "\"f(int, \"\"x\"\")\"");
  CHECK(csv_field("a\r\nb\x1b[2J") == "a\\x0d\\x0ab\\x1b[2J");
}
