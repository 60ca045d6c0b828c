// The numbers of the reports' JSON under selections against the slow account.
#include <catch2/catch.hpp>

#include <array>
#include <sstream>

#include "json_rows.h"
#include "report/reports.h"
#include "selection_observed.h"
#include "selection_questions.h"

using namespace memprof;
using namespace memprof::test;
using nlohmann::json;

namespace {

template <class Report>
json json_of(Report&& report) {
  return json::parse(written_by(report));
}

json pair_of(uint64_t chunks, uint64_t bytes) { return {{"chunks", chunks}, {"bytes", bytes}}; }

// The keys of one domain in a summary.
json account_json(const SelectionHistory& history, const DomainSums& sums) {
  uint64_t stacks = 0;
  for (const auto& [stack, site] : sums.sites) stacks += stack != format::kNoStack && site.allocations != 0;
  const uint64_t orphans = sums.orphaned[0] + sums.orphaned[1] + sums.orphaned[2];
  const uint64_t peak_ns = sums.peak_ticks == 0 ? 0 : history.ns(sums.peak_ticks);
  return {{"allocations", sums.allocations},
          {"frees", sums.frees},
          {"bytes_allocated", sums.bytes},
          {"temporary", sums.temporary},
          {"stacks", stacks},
          {"open", pair_of(sums.open, sums.open_bytes)},
          {"closed", pair_of(sums.closed, sums.closed_bytes)},
          {"orphaned",
           {{"chunks", orphans},
            {"inherited", sums.orphaned[0]},
            {"before_start", sums.orphaned[1]},
            {"unknown", sums.orphaned[2]}}},
          {"peak", {{"bytes", sums.peak}, {"chunks", sums.peak_blocks}, {"time_ns", peak_ns}}},
          {"filtered_frees", sums.filtered},
          {"double_allocations", sums.doubles}};
}

// What of `got` has a key in `want`.
json same_keys(const json& got, const json& want) {
  json some = json::object();
  for (const auto& [key, value] : want.items()) some[key] = got.at(key);
  return some;
}

struct Tally {
  uint64_t freed = 0, lifetime_ns = 0, reallocs = 0, taken = 0, returned = 0;
};

// Of the sites of a domain, by stack: its frees, and the calls of realloc that returned or took chosen blocks.
std::map<uint32_t, Tally> tallies_of(const SelectionHistory& history, const Question& question, const Answer& want,
                                     const std::string& domain) {
  std::map<uint32_t, Tally> tallies;
  const auto is_realloc = [](uint16_t tag) { return tag == 3 || tag == 19; };
  for (const BlockCall& call : want.calls) {
    if (call.domain != domain || call.fate == Fate::orphaned) continue;
    Tally& tally = tallies[call.stack];
    if (is_realloc(call.tag) && history.ns(call.alloc_ticks) >= question.from_ns) {
      ++tally.reallocs;
      tally.returned += call.size;
    }
    if (call.fate != Fate::closed) continue;
    ++tally.freed;
    tally.lifetime_ns += history.ns(call.end_ticks) - history.ns(call.alloc_ticks);
    const Step& end = history.steps[call.end_number];
    if (is_realloc(call.end_tag) && end.stack != format::kNoStack)
      tallies[history.canonical_stacks.at(end.stack)].taken += call.size;
  }
  return tallies;
}

json only(const json& rows, const std::vector<const char*>& keys) {
  json some = json::array();
  for (const json& row : rows) {
    json& kept = some.emplace_back(json::object());
    for (const char* const key : keys) kept[key] = row.at(key);
  }
  return some;
}

uint64_t value_of(const SiteSums& site, RankBy by) {
  switch (by) {
    case RankBy::open: return site.open_bytes;
    case RankBy::peak: return site.peak;
    case RankBy::at_peak: return site.at_peak;
    case RankBy::allocated: return site.bytes;
    case RankBy::allocations: return site.allocations;
    default: return site.temporary;
  }
}

class Reports {
 public:
  Reports(Trace& trace, const SelectionHistory& history, const Question& question)
      : trace_(trace), history_(history), question_(question), want_(answer(history, question)) {
    trace.selection = selection_of(question);
    options_.symbols = false;
    options_.json = true;
  }

  void compare_all() {
    compare_summary();
    for (const char* const domain : {"cpu", "mmap", "arena"}) {
      CAPTURE(domain);
      options_.domain = domain;
      compare_stacks();
      compare_sizes();
      compare_lifetimes();
      compare_threads();
      compare_tree();
    }
    compare_chunks();
  }

 private:
  const DomainSums& sums() const {
    static const DomainSums kNothing;
    const auto found = want_.domains.find(options_.domain);
    return found == want_.domains.end() ? kNothing : found->second;
  }

  void compare_summary() {
    const Analysis analysis = analyse(trace_);
    const json got = json_of([&](Output& out) { report_summary_json(analysis, options_, out); });
    CHECK(got["trace"]["events"] == want_.events);
    for (const char* const name : {"cpu", "mmap", "arena"}) {
      CAPTURE(name);
      options_.domain = name;
      const json want = account_json(history_, sums());
      const bool is_heap = name == std::string("cpu");
      if (!is_heap && !got["domains"].contains(name)) {
        CHECK((sums() == DomainSums{}));
        continue;
      }
      CHECK(same_keys(is_heap ? got : got["domains"][name], want) == want);
      if (is_heap) CHECK(got["mismatched_frees"] == sums().mismatched);
    }
  }

  void compare_stacks() {
    const auto tallies = tallies_of(history_, question_, want_, options_.domain);
    for (const RankBy by :
         {RankBy::open, RankBy::peak, RankBy::at_peak, RankBy::allocated, RankBy::allocations, RankBy::temporary}) {
      CAPTURE(static_cast<int>(by));
      options_.by = by;
      const SiteExtras extras(trace_, options_);
      const Analysis analysis = analyse(trace_, extras.visitor());
      const json got = json_of([&](Output& out) { report_stacks(analysis, options_, out, extras); });
      json rows = json::array();
      for (const auto& [stack, site] : sums().sites) {
        if (value_of(site, by) == 0 && !(by == RankBy::open && site.open != 0)) continue;
        const auto found = tallies.find(stack);
        const Tally tally = found == tallies.end() ? Tally{} : found->second;
        const uint64_t closed = site.carried + site.allocations - site.open;
        const uint64_t closed_bytes = site.carried_bytes + site.bytes - site.open_bytes;
        const uint64_t peak_ns = site.peak_ticks == 0 ? 0 : history_.ns(site.peak_ticks);
        rows.push_back(
            {{"allocations", site.allocations},
             {"bytes_allocated", site.bytes},
             {"temporary", site.temporary},
             {"open", pair_of(site.open, site.open_bytes)},
             {"closed", pair_of(closed, closed_bytes)},
             {"peak", {{"bytes", site.peak}, {"time_ns", peak_ns}}},
             {"at_peak", pair_of(site.at_peak_blocks, site.at_peak)},
             {"lifetime",
              {{"blocks", tally.freed},
               {"sum_ns", tally.lifetime_ns},
               {"mean_ns", tally.freed == 0 ? 0 : tally.lifetime_ns / tally.freed}}},
             {"realloc",
              {{"calls", tally.reallocs}, {"bytes_taken", tally.taken}, {"bytes_returned", tally.returned}}}});
      }
      compare_rows(only(got["stacks"], {"allocations", "bytes_allocated", "temporary", "open", "closed", "peak",
                                        "at_peak", "lifetime", "realloc"}),
                   rows);
    }
    options_.by = RankBy::open;
  }

  void compare_sizes() {
    const json got = json_of([&](Output& out) { report_sizes(trace_, options_, out, nullptr); });
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> sizes;  // blocks, those open
    uint64_t bytes = 0;
    for (const BlockCall& call : want_.calls) {
      if (call.domain != options_.domain || call.fate == Fate::orphaned) continue;
      ++sizes[call.size].first;
      sizes[call.size].second += call.fate == Fate::open;
      bytes += call.size;
    }
    json rows = json::array();
    for (const auto& [size, counts] : sizes)
      rows.push_back({{"size", size}, {"blocks", counts.first}, {"open_blocks", counts.second}});
    CHECK(got["bytes"] == bytes);
    compare_rows(got["exact_sizes"], rows);
    if (!sizes.empty()) CHECK(got["size"]["min"] == sizes.begin()->first);
    if (!sizes.empty()) CHECK(got["size"]["max"] == sizes.rbegin()->first);
  }

  void compare_lifetimes() {
    const json got = json_of([&](Output& out) { report_lifetimes(trace_, options_, out, nullptr); });
    uint64_t blocks = 0, sum = 0, bytes = 0, temporary = 0, open = 0, open_bytes = 0;
    std::map<uint32_t, uint64_t> by_stack;
    for (const BlockCall& call : want_.calls) {
      if (call.domain != options_.domain) continue;
      if (call.fate == Fate::open) {
        ++open;
        open_bytes += call.size;
      } else if (call.fate == Fate::closed) {
        ++blocks;
        ++by_stack[call.stack];
        bytes += call.size;
        temporary += call.is_temporary;
        sum += history_.ns(call.end_ticks) - history_.ns(call.alloc_ticks);
      }
    }
    CHECK(got["lifetime_ns"]["blocks"] == blocks);
    CHECK(got["lifetime_ns"]["mean"] == (blocks == 0 ? 0 : sum / blocks));
    CHECK(got["bytes"] == bytes);
    CHECK(got["temporary"] == temporary);
    CHECK(got["open"] == pair_of(open, open_bytes));
    json rows = json::array();
    for (const auto& [stack, count] : by_stack) rows.push_back({{"blocks", count}});
    compare_rows(only(got["sites"], {"blocks"}), rows);
    uint64_t binned = 0;
    for (const json& bin : got["bins"]) binned += bin["blocks"].get<uint64_t>();
    CHECK(binned == blocks);
  }

  void compare_threads() {
    const json got = json_of([&](Output& out) { report_threads(trace_, options_, out, nullptr); });
    Question by_thread = question_;
    by_thread.by = SiteBy::thread;
    const Answer want = answer(history_, by_thread);
    std::map<uint32_t, SiteSums> sites;
    if (want.domains.contains(options_.domain))
      for (const auto& [thread, site] : want.domains.at(options_.domain).sites) sites[thread + 1] = site;
    std::map<uint32_t, std::array<uint64_t, 3>> frees;  // count, bytes, orphans
    std::map<std::pair<uint32_t, uint32_t>, std::pair<uint64_t, uint64_t>> pairs;
    for (const BlockCall& call : want_.calls) {
      if (call.domain != options_.domain || call.fate == Fate::open) continue;
      if (call.fate == Fate::orphaned && call.orphan_kind == 3) continue;
      auto& [count, bytes, orphans] = frees[call.end_thread];
      ++count;
      if (call.fate == Fate::orphaned) {
        ++orphans;
        continue;
      }
      bytes += call.size;
      auto& pair = pairs[{call.thread, call.end_thread}];
      ++pair.first;
      pair.second += call.size;
    }
    for (const auto& [thread, count] : frees) sites.try_emplace(thread);
    json rows = json::array();
    for (const auto& [thread, site] : sites) {
      const auto& [count, bytes, orphans] = frees[thread];
      const uint64_t peak_ns = site.peak_ticks == 0 ? 0 : history_.ns(site.peak_ticks);
      rows.push_back({{"thread", thread},
                      {"allocations", site.allocations},
                      {"bytes_allocated", site.bytes},
                      {"temporary", site.temporary},
                      {"frees", count},
                      {"bytes_freed", bytes},
                      {"orphaned_frees", orphans},
                      {"open", pair_of(site.open, site.open_bytes)},
                      {"peak", {{"bytes", site.peak}, {"time_ns", peak_ns}}},
                      {"at_peak", pair_of(site.at_peak_blocks, site.at_peak)}});
    }
    compare_rows(only(got["threads"], {"thread", "allocations", "bytes_allocated", "temporary", "frees", "bytes_freed",
                                       "orphaned_frees", "open", "peak", "at_peak"}),
                 rows);
    json matrix = json::array();
    for (const auto& [threads, pair] : pairs)
      matrix.push_back({{"allocated_by", threads.first},
                        {"freed_by", threads.second},
                        {"blocks", pair.first},
                        {"bytes", pair.second}});
    compare_rows(got["hand_overs"], matrix);
  }

  void compare_tree() {
    options_.min_percent = 0;
    for (const RankBy by : {RankBy::open, RankBy::allocated}) {
      options_.by = by;
      const json got = json_of([&](Output& out) { report_tree(trace_, options_, out, nullptr); });
      const uint64_t total = by == RankBy::open ? sums().open_bytes : sums().bytes;
      uint64_t self = 0;
      for (const json& node : got["nodes"]) self += node["self"].get<uint64_t>();
      CHECK(got["total"] == total);
      CHECK(got["tree_total"] == total);
      CHECK(self <= total);  // blocks without a stack are in no node
    }
    options_.by = RankBy::open;
    options_.min_percent.reset();
  }

  void compare_chunks() {
    std::istringstream lines(written_by([&](Output& out) { report_chunks(trace_, options_, out, nullptr); }));
    json got = json::array(), want = json::array();
    for (std::string line; std::getline(lines, line);) got.push_back(json::parse(line));
    for (const BlockCall& call : want_.calls) {
      if (call.fate == Fate::orphaned && call.orphan_kind == 3) continue;
      const bool is_orphan = call.fate == Fate::orphaned, is_open = call.fate == Fate::open;
      json row = {{"state", is_orphan ? "orphaned"
                            : is_open ? "open"
                                      : "closed"},
                  {"address", fmt::format("{:#x}", call.address)},
                  {"domain", call.domain},
                  {"mismatched", call.is_mismatched}};
      row["alloc_time_ns"] = is_orphan ? json() : json(history_.ns(call.alloc_ticks));
      row["free_time_ns"] = is_open ? json() : json(history_.ns(call.end_ticks));
      row["thread"] = is_orphan ? json() : json(call.thread);
      row["free_thread"] = is_open ? json() : json(call.end_thread);
      want.push_back(row);
    }
    compare_rows(only(got, {"state", "address", "domain", "mismatched", "alloc_time_ns", "free_time_ns", "thread",
                            "free_thread"}),
                 want);
  }

  Trace& trace_;
  const SelectionHistory& history_;
  const Question& question_;
  const Answer want_;
  ReportOptions options_;
};

}  // namespace

TEST_CASE("reports agree with a slow account under windows and conditions", "[selection]") {
  for (uint64_t seed = 800; seed < 804; ++seed) {
    CAPTURE(seed);
    HistoryPlan plan = random_plan(seed);
    plan.events = 500;
    SelectionHistory history(plan);
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 6; ++i) {
      Question question;
      if (i > 0) asker.choose_window(question);
      if (i > 2) asker.choose_any(question);
      CAPTURE(question.text());
      Reports(trace, history, question).compare_all();
    }
  }
}
