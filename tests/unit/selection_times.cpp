// Timelines and leaks under selections against the slow account.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <sstream>

#include "json_rows.h"
#include "report/reports.h"
#include "selection_observed.h"
#include "selection_questions.h"

using namespace memprof;
using namespace memprof::test;
using nlohmann::json;

namespace {

using Interval = std::map<std::string, uint64_t>;

// The intervals that begin at those times, of the changes that `wanted` takes. What was open at the begin of the window
// is the first moment of the first.
template <class Wanted>
std::vector<Interval> intervals_of(const SelectionHistory& history, const std::vector<Change>& changes,
                                   const std::vector<uint64_t>& begins, Wanted wanted) {
  std::vector<Interval> intervals;
  for (size_t i = 0; i < begins.size(); ++i) {
    const bool is_last = i + 1 == begins.size();
    uint64_t bytes = 0, blocks = 0;
    const auto apply = [&](const Change& change) {
      bytes += change.kind == '-' ? -change.bytes : change.bytes;
      blocks += change.kind == '-' ? -change.blocks : change.blocks;
    };
    // What belongs to an earlier interval; nothing lies before the first.
    const auto is_before = [&](const Change& change) {
      return change.kind == 'o' || (i != 0 && history.ns(change.ticks) < begins[i]);
    };
    for (const Change& change : changes)
      if (wanted(change) && is_before(change)) apply(change);
    Interval at = {{"max_bytes", bytes},   {"min_bytes", bytes}, {"max_chunks", blocks},
                   {"min_chunks", blocks}, {"allocations", 0},   {"bytes_allocated", 0}};
    for (const Change& change : changes) {
      if (!wanted(change) || is_before(change)) continue;
      if (!is_last && history.ns(change.ticks) >= begins[i + 1]) continue;
      apply(change);
      at["max_bytes"] = std::max(at["max_bytes"], bytes);
      at["min_bytes"] = std::min(at["min_bytes"], bytes);
      at["max_chunks"] = std::max(at["max_chunks"], blocks);
      at["min_chunks"] = std::min(at["min_chunks"], blocks);
      at["allocations"] += change.kind == 'a';
      at["bytes_allocated"] += change.kind == 'a' ? change.bytes : 0;
    }
    at["open_bytes"] = bytes;
    at["open_chunks"] = blocks;
    intervals.push_back(at);
  }
  return intervals;
}

// As the report has them: a column a number.
json columns(const std::vector<Interval>& intervals) {
  json result = json::object();
  for (const Interval& interval : intervals)
    for (const auto& [name, value] : interval) result[name].push_back(value);
  return result;
}

class Times {
 public:
  Times(Trace& trace, const SelectionHistory& history, const Question& question)
      : trace_(trace), history_(history), question_(question), want_(answer(history, question)) {
    trace.selection = selection_of(question);
    options_.symbols = false;
    options_.json = true;
    options_.top = SIZE_MAX;
  }

  void compare_all(Asker& asker) {
    for (const char* const domain : {"cpu", "mmap", "arena"}) {
      CAPTURE(domain);
      options_.domain = domain;
      changes_.clear();
      for (const Change& change : want_.played)
        if (change.domain == domain) changes_.push_back(change);
      // A block in dispute comes into the sums when it is settled, a moment after its stamp.
      if (!history_.plan.has_contradictions) compare_timeline(1 + asker.pick(40));
      compare_leaks();
      compare_span(asker);
      compare_growth();
    }
  }

 private:
  const DomainSums& sums() const {
    static const DomainSums kNothing;
    const auto found = want_.domains.find(options_.domain);
    return found == want_.domains.end() ? kNothing : found->second;
  }

  void compare_timeline(size_t points) {
    options_.points = points;
    const json got = json::parse(written_by([&](Output& out) { report_timeline(trace_, options_, out, nullptr); }));
    const std::vector<uint64_t> begins = got["begin_ns"];
    const uint64_t from = std::min(question_.from_ns, want_.end_ns);
    REQUIRE(begins.size() == std::clamp<uint64_t>(points, 1, std::max<uint64_t>(want_.end_ns - from, 1)));
    CHECK(begins.front() == from);
    CHECK(std::is_sorted(begins.begin(), begins.end()));
    CHECK(got["end_ns"] == want_.end_ns);
    const auto series_of = [&](auto wanted) { return columns(intervals_of(history_, changes_, begins, wanted)); };
    const json whole = series_of([](const Change&) { return true; });
    CHECK(got["series"] == whole);
    CHECK(got["open"] == json{{"chunks", sums().open}, {"bytes", sums().open_bytes}});
    CHECK(got["peak"]["bytes"] == sums().peak);
    CHECK(got["peak"]["chunks"] == sums().peak_blocks);
    const std::vector<uint64_t> highest = whole["max_bytes"];
    CHECK(got["peak"]["interval"] == std::max_element(highest.begin(), highest.end()) - highest.begin());

    json stacks = json::array();
    for (const auto& [stack, site] : sums().sites) {
      if (std::max(site.at_peak, site.open_bytes) == 0) continue;
      const uint64_t peak_ns = site.peak_ticks == 0 ? 0 : history_.ns(site.peak_ticks);
      stacks.push_back({{"at_peak", {{"chunks", site.at_peak_blocks}, {"bytes", site.at_peak}}},
                        {"open", {{"chunks", site.open}, {"bytes", site.open_bytes}}},
                        {"peak", {{"bytes", site.peak}, {"time_ns", peak_ns}}},
                        {"series", series_of([&](const Change& change) { return change.stack == stack; })}});
    }
    json got_stacks = got["stacks"];
    for (json& row : got_stacks)
      for (const char* const key : {"allocator", "stack", "stack_hidden_frames", "truncated"}) row.erase(key);
    compare_rows(got_stacks, stacks);

    Question by_thread = question_;
    by_thread.by = SiteBy::thread;
    json threads = json::array();
    const Answer of_threads = answer(history_, by_thread);
    if (const auto found = of_threads.domains.find(options_.domain); found != of_threads.domains.end()) {
      for (const auto& [index, site] : found->second.sites) {
        if (std::max(site.at_peak, site.open_bytes) == 0) continue;
        const uint32_t thread = index + 1;
        threads.push_back({{"serial", thread},
                           {"at_peak_bytes", site.at_peak},
                           {"open_bytes", site.open_bytes},
                           {"series", series_of([&](const Change& change) { return change.thread == thread; })}});
      }
    }
    json got_threads = got["threads"];
    for (json& row : got_threads)
      for (const char* const key : {"id", "name"}) row.erase(key);
    compare_rows(got_threads, threads);
  }

  void compare_leaks() {
    const Analysis analysis = analyse(trace_);
    const json got = json::parse(written_by([&](Output& out) { report_leaks(analysis, options_, out); }));
    json open = json::array(), got_open = json::array();
    for (const auto& [stack, site] : sums().sites)
      if (site.open != 0) open.push_back({{"chunks", site.open}, {"bytes", site.open_bytes}});
    for (const json& row : got["stacks"]) got_open.push_back(row["open"]);
    CHECK(got["total"] == sums().open_bytes);
    CHECK(got["sites"] == open.size());
    compare_rows(got_open, open);
  }

  // Blocks of a span of time that are open at the end of it, or of an age.
  void compare_span(Asker& asker) {
    ReportOptions options = options_;
    uint64_t first_ns = 0, before_ns = UINT64_MAX, open_at = question_.to_ns;
    if (asker.pick(2) == 0) {
      const uint64_t age = asker.pick(history_.duration_ns() + 2);
      options.older_ns = age;
      before_ns = age > want_.end_ns ? 0 : want_.end_ns - age + 1;
    } else {
      const auto [from, to] = std::minmax({asker.time(), asker.time()});
      if (from == to || from > want_.end_ns) return;
      options.between = {std::to_string(from) + "ns", std::to_string(to) + "ns"};
      first_ns = from;
      if (to < want_.end_ns) before_ns = open_at = to;
    }
    const LeakSpan span = find_leak_span(trace_, options, nullptr);
    REQUIRE(span.problem == "");
    const json got =
        json::parse(written_by([&](Output& out) { report_leaks_of_span(trace_, span, options, out, nullptr); }));
    struct Found {
      uint64_t blocks = 0, bytes = 0, first = UINT64_MAX, last = 0;
    };
    std::map<uint32_t, Found> found;
    uint64_t blocks = 0, bytes = 0;
    for (const BlockCall& call : want_.calls) {
      if (call.domain != options.domain || call.fate == Fate::orphaned) continue;
      if (call.fate == Fate::closed && history_.ns(call.end_ticks) < open_at) continue;
      const uint64_t born = history_.ns(call.alloc_ticks);
      if (born < first_ns || born >= before_ns) continue;
      Found& site = found[call.stack];
      site = {site.blocks + 1, site.bytes + call.size, std::min(site.first, born), std::max(site.last, born)};
      ++blocks;
      bytes += call.size;
    }
    json rows = json::array(), got_rows = json::array();
    for (const auto& [stack, site] : found)
      rows.push_back({{"open", {{"chunks", site.blocks}, {"bytes", site.bytes}}},
                      {"first_alloc_ns", site.first},
                      {"last_alloc_ns", site.last}});
    for (const json& row : got["stacks"])
      got_rows.push_back(
          {{"open", row["open"]}, {"first_alloc_ns", row["first_alloc_ns"]}, {"last_alloc_ns", row["last_alloc_ns"]}});
    CHECK(got["total"] == bytes);
    CHECK(got["blocks"] == blocks);
    compare_rows(got_rows, rows);
  }

  // Which stacks grow is leaks_trend's matter; what was open at the times that it looked at is checked.
  void compare_growth() {
    const json got = json::parse(written_by([&](Output& out) { report_leaks_growth(trace_, options_, out, nullptr); }));
    const uint64_t width = got["interval_ns"], count = got["samples"];
    std::map<uint32_t, std::vector<uint64_t>> samples;
    for (const BlockCall& call : want_.calls) {
      if (call.domain != options_.domain || call.fate == Fate::orphaned) continue;
      std::vector<uint64_t>& values = samples.try_emplace(call.stack, count).first->second;
      for (uint64_t k = 0; k < count; ++k) {
        const uint64_t at = question_.from_ns + k * width;
        const bool is_born = history_.ns(call.alloc_ticks) <= at;
        const bool is_gone = call.fate == Fate::closed && history_.ns(call.end_ticks) <= at;
        if (is_born && !is_gone) values[k] += call.size;
      }
    }
    CHECK(got["tested"] == samples.size());
    std::multiset<std::vector<uint64_t>> known;
    for (const auto& [stack, values] : samples) known.insert(values);
    for (const json& row : got["stacks"]) CHECK(known.contains(row["open_bytes_samples"].get<std::vector<uint64_t>>()));
  }

  Trace& trace_;
  const SelectionHistory& history_;
  const Question& question_;
  const Answer want_;
  ReportOptions options_;
  std::vector<Change> changes_;  // of the domain
};

}  // namespace

TEST_CASE("timelines and leaks agree with a slow account under windows and conditions", "[selection]") {
  for (uint64_t seed = 900; seed < 908; ++seed) {
    CAPTURE(seed);
    HistoryPlan plan = random_plan(seed);
    plan.events = 400;
    plan.has_contradictions = seed % 2 != 0;
    SelectionHistory history(plan);
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 6; ++i) {
      static constexpr unsigned kThreads[] = {1, 2, 8};
      trace.threads = kThreads[i % 3];
      Question question;
      if (i > 0) asker.choose_window(question);
      if (i > 2) asker.choose_any(question);
      CAPTURE(question.text());
      Times(trace, history, question).compare_all(asker);
    }
  }
}
