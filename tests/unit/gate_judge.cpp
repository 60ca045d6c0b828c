// From findings to the verdict.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "gate/own_stacks.h"
#include "gate_findings.h"

using namespace memprof;
using namespace memprof::test;

namespace {

constexpr FindingKind kAllKinds[] = {FindingKind::definite,  FindingKind::indirect,        FindingKind::possible,
                                     FindingKind::reachable, FindingKind::mismatched_free, FindingKind::double_free};

std::vector<Finding> one_of_each_kind() {
  std::vector<Finding> findings;
  for (const FindingKind kind : kAllKinds)
    findings.push_back(finding_at({finding_kind_name(kind), "main"}, 1, 100, kind));
  return findings;
}

std::vector<std::string> failing(const Verdict& verdict) {
  std::vector<std::string> names;
  for (const Finding& finding : verdict.findings)
    if (finding.fails) names.push_back(finding.names.front());
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what several traces have at one place is one finding", "[gate]") {
  Finding first = finding_at({"leak", "main"}, 2, 20), second = finding_at({"leak", "main"}, 3, 40);
  first.indirect_blocks = 1;
  first.indirect_bytes = 8;
  second.indirect_blocks = 4;
  second.indirect_bytes = 90;
  const Verdict verdict = verdict_on({trace_with({first}, "a"), trace_with({}, "b"), trace_with({second}, "c")});
  REQUIRE(verdict.findings.size() == 1);
  const Finding& sum = verdict.findings[0];
  CHECK(sum.blocks == 5);
  CHECK(sum.bytes == 60);
  CHECK(sum.indirect_blocks == 5);
  CHECK(sum.indirect_bytes == 98);
  CHECK(sum.traces == std::vector<size_t>{0, 2});
  REQUIRE(verdict.traces.size() == 3);
  CHECK(verdict.traces[2].path == "c");
}

TEST_CASE("another kind, place, allocator or freeing function is another finding", "[gate]") {
  const Finding one = finding_at({"leak", "main"}, 1, 10);
  Finding kind = one, place = finding_at({"leak", "run", "main"}, 1, 10), allocator = one;
  kind.kind = FindingKind::possible;
  allocator.allocator = "calloc";
  Finding freed = finding_at({"leak", "main"}, 1, 10, FindingKind::mismatched_free), freed_else = freed;
  freed_else.free_function = "free";
  CHECK(verdict_on({one, kind, place, allocator, freed, freed_else}).findings.size() == 6);
}

TEST_CASE("definite leaks and mismatched frees fail, if nothing else is said", "[gate]") {
  const Verdict verdict = verdict_on(one_of_each_kind());
  CHECK(failing(verdict) == Names{"definite", "mismatched-free"});
  CHECK_FALSE(verdict.passed());
  CHECK(verdict_on({finding_at({"f"}, 1, 1, FindingKind::possible)}).passed());
  CHECK(verdict_on(std::vector<Finding>{}).passed());
}

TEST_CASE("what is asked for fails, and that alone", "[gate]") {
  for (const FindingKind kind : kAllKinds) {
    Rules rules;
    rules.fail_on = {kind};
    // Reachable blocks by themselves are no fault.
    const bool is_fault = kind != FindingKind::reachable;
    CHECK(failing(verdict_on(one_of_each_kind(), rules)) == (is_fault ? Names{finding_kind_name(kind)} : Names{}));
  }
  Rules none;
  none.fail_on = {};
  CHECK(verdict_on(one_of_each_kind(), none).passed());
}

TEST_CASE("against a baseline only what is new or more fails", "[gate]") {
  const Baseline baseline =
      baseline_of({finding_at({"same"}, 2, 20), finding_at({"less"}, 2, 20), finding_at({"more_blocks"}, 2, 20),
                   finding_at({"more_bytes"}, 2, 20), finding_at({"gone"}, 2, 20)});
  const Verdict verdict =
      verdict_on({finding_at({"same"}, 2, 20), finding_at({"less"}, 1, 19), finding_at({"more_blocks"}, 3, 20),
                  finding_at({"more_bytes"}, 2, 21), finding_at({"appeared"}, 1, 1)},
                 {}, &baseline);
  CHECK(verdict.has_baseline);
  CHECK(named(verdict, "same").status == FindingStatus::known);
  CHECK(named(verdict, "less").status == FindingStatus::known);
  CHECK(named(verdict, "more_blocks").status == FindingStatus::grown);
  CHECK(named(verdict, "more_bytes").status == FindingStatus::grown);
  CHECK(named(verdict, "more_bytes").baseline_bytes == 20);
  CHECK(named(verdict, "more_bytes").baseline_blocks == 2);
  CHECK(named(verdict, "appeared").status == FindingStatus::added);
  CHECK(named(verdict, "gone").status == FindingStatus::fixed);
  CHECK(named(verdict, "gone").blocks == 0);
  CHECK(failing(verdict) == Names{"more_bytes", "more_blocks", "appeared"});
  CHECK(verdict_on({finding_at({"same"}, 2, 20)}, {}, &baseline).passed());
  CHECK_FALSE(verdict_on({finding_at({"same"}, 2, 20)}).has_baseline);
}

TEST_CASE("reachable blocks fail where the baseline has fewer, and only when that is asked for", "[gate]") {
  const std::vector<Finding> before = {finding_at({"cache"}, 2, 20, FindingKind::reachable),
                                       finding_at({"table"}, 2, 20, FindingKind::reachable)};
  const std::vector<Finding> after = {finding_at({"cache"}, 2, 20, FindingKind::reachable),
                                      finding_at({"table"}, 2, 30, FindingKind::reachable),
                                      finding_at({"new_list"}, 1, 10, FindingKind::reachable)};
  const Baseline baseline = baseline_of(before);
  Rules rules;
  rules.fail_on_reachable_growth = true;
  CHECK(failing(verdict_on(after, rules, &baseline)) == Names{"table", "new_list"});
  CHECK(failing(verdict_on(after, {}, &baseline)) == Names{});
  // Without a baseline there is nothing that it could have grown from.
  CHECK(failing(verdict_on(after, rules)) == Names{});
}

TEST_CASE("suppressed findings do not fail, and what suppresses nothing is stale", "[gate]") {
  const std::vector<Finding> findings = {finding_at({"known_leak", "main"}, 1, 10),
                                         finding_at({"other", "main"}, 1, 10)};
  const Verdict verdict = verdict_on(findings, {}, nullptr, "leak:nowhere\nleak:known_leak\n");
  CHECK(failing(verdict) == Names{"other"});
  REQUIRE(verdict.suppressions.size() == 2);
  CHECK(verdict.suppressions[0].is_stale());
  CHECK(verdict.suppressions[1].findings == 1);
  CHECK(named(verdict, "known_leak").suppression == size_t{1});
  CHECK_FALSE(named(verdict, "other").suppression);

  const std::vector<Finding> one = {findings[0]};
  Rules rules;
  rules.fail_on_stale = true;
  CHECK(verdict_on(one, {}, nullptr, "leak:nowhere\nleak:known_leak\n").passed());
  CHECK_FALSE(verdict_on(one, rules, nullptr, "leak:nowhere\nleak:known_leak\n").passed());
  CHECK(verdict_on(one, rules, nullptr, "leak:known_leak\n").passed());
}

TEST_CASE("what the C library keeps is suppressed without anybody's asking, and told only where it is there",
          "[gate]") {
  Finding kept = finding_at({"_dl_allocate_tls", "pthread_create", "main"}, 1, 272);
  for (size_t i = 0; i < 2; ++i) kept.frames[i].module = "/lib64/ld-linux-x86-64.so.2";
  kept.allocator = "calloc";
  Rules rules;
  rules.fail_on_stale = true;
  CHECK(verdict_on({finding_at({"f"}, 1, 1, FindingKind::possible)}, rules).suppressions.empty());
  const Verdict verdict = verdict_on({kept}, rules, nullptr, "leak:nowhere\n");
  REQUIRE(verdict.suppressions.size() == 2);
  CHECK(verdict.suppressions[0].is_stale());
  CHECK(verdict.suppressions[1].is_built_in());
  CHECK(verdict.findings[0].suppression == size_t{1});
}

TEST_CASE("what leaks may be limited in total and for each site", "[gate][limits]") {
  std::vector<Finding> findings = {finding_at({"a"}, 3, 100), finding_at({"b"}, 1, 50),
                                   finding_at({"c"}, 2, 7, FindingKind::indirect)};
  Rules rules;
  rules.fail_on = {};
  const auto limited = [&](std::optional<uint64_t> Rules::*limit, uint64_t value) {
    Rules with = rules;
    with.*limit = value;
    return verdict_on(findings, with);
  };
  CHECK(limited(&Rules::max_leaked_bytes, 157).passed());
  const Verdict total = limited(&Rules::max_leaked_bytes, 156);
  CHECK_FALSE(total.passed());
  REQUIRE(total.broken_limits.size() == 1);
  CHECK(total.broken_limits[0].rule == "max-leaked-bytes");
  CHECK(total.broken_limits[0].quantity == "bytes");
  CHECK(total.broken_limits[0].found == 157);
  CHECK(total.broken_limits[0].limit == 156);
  CHECK_FALSE(total.broken_limits[0].finding);
  CHECK(limited(&Rules::max_leaked_blocks, 6).passed());
  CHECK(limited(&Rules::max_leaked_blocks, 5).broken_limits.at(0).found == 6);
  CHECK(limited(&Rules::max_site_leaked_bytes, 100).passed());
  const Verdict site = limited(&Rules::max_site_leaked_bytes, 60);
  REQUIRE(site.broken_limits.size() == 1);
  CHECK(site.broken_limits[0].rule == "max-site-leaked-bytes");
  CHECK(site.findings[site.broken_limits[0].finding.value()].names == Names{"a"});
  CHECK(limited(&Rules::max_site_leaked_blocks, 3).passed());
  CHECK(limited(&Rules::max_site_leaked_blocks, 1).broken_limits.size() == 2);
}

TEST_CASE("possible leaks count for the limits when they fail, reachable blocks and wrong frees never",
          "[gate][limits]") {
  std::vector<Finding> findings;
  for (const FindingKind kind : {FindingKind::possible, FindingKind::reachable, FindingKind::mismatched_free})
    findings.push_back(finding_at({"f"}, 1, 10, kind));
  Rules rules;
  rules.fail_on = {};
  rules.max_leaked_bytes = 0;
  CHECK(verdict_on(findings, rules).passed());
  rules.fail_on = {FindingKind::possible};
  REQUIRE(verdict_on(findings, rules).broken_limits.size() == 1);
  CHECK(verdict_on(findings, rules).broken_limits[0].found == 10);
}

TEST_CASE("what is known, suppressed or somebody else's is not limited", "[gate][limits]") {
  Rules rules;
  rules.fail_on = {};
  rules.max_leaked_bytes = 99;
  rules.max_site_leaked_bytes = 99;
  const std::vector<Finding> findings = {finding_at({"big"}, 1, 1000), finding_at({"small"}, 1, 50)};
  CHECK(verdict_on(findings, rules).broken_limits.size() == 2);
  const Baseline baseline = baseline_of({findings[0]});
  CHECK(verdict_on(findings, rules, &baseline).passed());
  CHECK(verdict_on(findings, rules, nullptr, "leak:big\n").passed());
  std::vector<Finding> foreign = findings;
  foreign[0].frames[0].module = "/lib/libforeign.so";
  std::string problem;
  const Blame blame = Blame::parse({}, {"libforeign.so"}, problem);
  CHECK(verdict_on(foreign, rules, nullptr, "", blame).passed());
}

TEST_CASE("of what has grown its growth is limited", "[gate][limits]") {
  const Baseline baseline = baseline_of({finding_at({"big"}, 10, 1000)});
  Rules rules;
  rules.fail_on = {};
  rules.max_leaked_bytes = rules.max_site_leaked_bytes = 50;
  rules.max_leaked_blocks = rules.max_site_leaked_blocks = 2;
  CHECK(verdict_on({finding_at({"big"}, 12, 1050)}, rules, &baseline).passed());
  CHECK(verdict_on({finding_at({"big"}, 13, 1050)}, rules, &baseline).broken_limits.size() == 2);
  const Verdict verdict = verdict_on({finding_at({"big"}, 9, 1051)}, rules, &baseline);
  REQUIRE(verdict.broken_limits.size() == 2);
  CHECK(verdict.broken_limits[0].found == 51);
}

TEST_CASE("the peak is of one trace, allocations are of all", "[gate][limits]") {
  std::vector<TraceFindings> traces = {trace_with({}), trace_with({})};
  traces[0].trace.peak_bytes = 100;
  traces[1].trace.peak_bytes = 300;
  traces[0].trace.allocations = 10;
  traces[1].trace.allocations = 20;
  traces[0].trace.temporary = 4;
  traces[1].trace.temporary = 5;
  Rules rules;
  rules.max_peak = 300;
  rules.max_allocations = 30;
  rules.max_temporary = 9;
  CHECK(verdict_on(traces, rules).passed());
  rules.max_peak = 299;
  rules.max_allocations = 29;
  rules.max_temporary = 8;
  const Verdict verdict = verdict_on(traces, rules);
  REQUIRE(verdict.broken_limits.size() == 3);
  CHECK(verdict.broken_limits[0].found == 300);
  CHECK(verdict.broken_limits[1].found == 30);
  CHECK(verdict.broken_limits[2].found == 9);
}

TEST_CASE("each trace has the whole of a budget for itself", "[gate][limits]") {
  std::string problem;
  Rules rules;
  Budget budget;
  budget.pattern = NamePattern::parse("parse_*", problem);
  budget.bytes = 100;
  budget.blocks = 10;
  budget.peak = 1000;
  budget.allocations = 50;
  rules.budgets = {budget, budget};
  rules.budgets[1].is_of_module = true;
  rules.budgets[1].bytes = rules.budgets[1].blocks = rules.budgets[1].peak = std::nullopt;
  std::vector<TraceFindings> traces = {trace_with({}), trace_with({})};
  traces[0].budgets = {{100, 1, 1000, 50}, {0, 0, 0, 50}};
  traces[1].budgets = {{90, 10, 999, 50}, {9999, 9999, 9999, 50}};
  CHECK(verdict_on(traces, rules).passed());
  traces[1].budgets = {{101, 11, 1001, 51}, {0, 0, 0, 52}};
  const Verdict verdict = verdict_on(traces, rules);
  std::vector<std::string> told;
  for (const BrokenLimit& limit : verdict.broken_limits)
    told.push_back(limit.rule + " " + limit.subject + " " + limit.quantity + " " + std::to_string(limit.found));
  CHECK(told == Names{"budget function parse_* bytes 101", "budget function parse_* blocks 11",
                      "budget function parse_* peak 1001", "budget function parse_* allocations 51",
                      "budget module parse_* allocations 52"});
}

TEST_CASE("the gate does not pass on what it did not see, unless it may", "[gate][unseen]") {
  TraceFindings found = trace_with({}, "some.bin");
  bool Rules::*allow = nullptr;
  std::string expected;
  SECTION("of the end") {
    found.trace.is_complete = false;
    allow = &Rules::allow_incomplete;
    expected =
        "some.bin: the recording ends before the program did: it died, or still runs (--allow-incomplete lets it pass)";
  }
  SECTION("of one event") {
    found.trace.dropped_events = 1;
    allow = &Rules::allow_dropped;
    expected = "some.bin: 1 event was dropped (--allow-dropped lets it pass)";
  }
  SECTION("of many events") {
    found.trace.dropped_events = 1234;
    allow = &Rules::allow_dropped;
    expected = "some.bin: 1,234 events were dropped (--allow-dropped lets it pass)";
  }
  SECTION("of what leads to blocks") {
    found.trace.why_unclassified = "no snapshot";
    allow = &Rules::allow_unclassified;
    expected = "some.bin: not classified: no snapshot (--allow-unclassified lets it pass)";
  }
  const Verdict verdict = verdict_on({trace_with({}), found});
  CHECK(verdict.unseen == Names{expected});
  CHECK_FALSE(verdict.passed());
  Rules rules;
  rules.allow_incomplete = rules.allow_dropped = rules.allow_unclassified = true;
  CHECK(verdict_on({trace_with({}), found}, rules).passed());
  rules.*allow = false;
  CHECK_FALSE(verdict_on({trace_with({}), found}, rules).passed());
}

TEST_CASE("blocks that were allocated after the snapshot are not judged, and that is told", "[gate][unseen]") {
  TraceFindings found = trace_with({}, "some.bin");
  found.unjudged = {finding_at({"late", "main"}, 2, 100), finding_at({"known", "main"}, 1, 7)};
  Verdict verdict = verdict_on(std::vector<TraceFindings>{found});
  CHECK(verdict.unseen ==
        Names{"some.bin: not judged: 107 B in 3 blocks allocated after the last snapshot of the memory "
              "and not freed (--allow-incomplete lets it pass)"});
  CHECK_FALSE(verdict.passed());
  verdict = verdict_on(std::vector<TraceFindings>{found}, {}, nullptr, "leak:known\n");
  CHECK(verdict.traces[0].unjudged_bytes == 100);
  CHECK(verdict.suppressions.at(0).is_stale());  // it took no finding
  CHECK(verdict_on(std::vector<TraceFindings>{found}, {}, nullptr, "leak:main\n").unseen.empty());
  Rules rules;
  rules.allow_incomplete = true;
  verdict = verdict_on(std::vector<TraceFindings>{found}, rules);
  CHECK(verdict.passed());
  CHECK(verdict.traces[0].unjudged_blocks == 3);
  rules = {};
  rules.fail_on = {FindingKind::mismatched_free};
  CHECK(verdict_on(std::vector<TraceFindings>{found}, rules).passed());
}

TEST_CASE("who does not ask for leaks needs no classes of blocks", "[gate][unseen]") {
  TraceFindings found = trace_with({});
  found.trace.why_unclassified = "no snapshot";
  const auto passes = [&](const Rules& rules) { return verdict_on({found}, rules).passed(); };
  Rules rules;
  rules.fail_on = {FindingKind::mismatched_free, FindingKind::double_free};
  rules.max_peak = 1000;
  CHECK(passes(rules));
  for (const FindingKind kind : {FindingKind::definite, FindingKind::indirect, FindingKind::possible}) {
    Rules with = rules;
    with.fail_on.insert(kind);
    CHECK_FALSE(passes(with));
  }
  for (std::optional<uint64_t> Rules::*limit : {&Rules::max_leaked_bytes, &Rules::max_leaked_blocks,
                                                &Rules::max_site_leaked_bytes, &Rules::max_site_leaked_blocks}) {
    Rules with = rules;
    with.*limit = 1'000'000;
    CHECK_FALSE(passes(with));
  }
  Rules growth = rules;
  growth.fail_on_reachable_growth = true;
  CHECK_FALSE(passes(growth));
}

TEST_CASE("what is ours and matches nothing does not hide what fails", "[gate][unseen]") {
  std::string problem;
  const Blame blame = Blame::parse({"sr", "libown.so"}, {}, problem);
  Rules rules;
  rules.only_from = {"sr", "libown.so"};
  Finding lines = finding_at({"leak", "main"}, 1, 10), none = finding_at({"lose", "main"}, 1, 10);
  for (FindingFrame& frame : none.frames) frame.file.clear();
  const auto unseen = [&](const std::vector<Finding>& findings, const Rules& with,
                          const std::string& suppressions = "") {
    CHECK(leaves_all_out({trace_with(findings)}, with, blame) ==
          !verdict_on(findings, with, nullptr, "", blame).unseen.empty());
    return verdict_on(findings, with, nullptr, suppressions, blame).unseen;
  };
  CHECK(unseen({lines}, rules) ==
        Names{"--only-from sr, libown.so: no stack goes through it, so 1 finding is left out; is "
              "it misspelled? (--allow-unmatched lets it pass)"});
  CHECK(
      unseen({lines, none}, rules) ==
      Names{
          "--only-from sr, libown.so: no stack goes through it, so 2 findings are left out; is it misspelled, or built "
          "without -g? There are no source lines in app (--allow-unmatched lets it pass)"});
  CHECK(unseen({lines}, rules, "leak:main\n").empty());
  CHECK(unseen({}, rules).empty());
  // A kind that does not fail.
  CHECK(unseen({finding_at({"cache"}, 1, 1, FindingKind::reachable)}, rules).empty());
  // Whatever kind it is of, it shows that there is such code.
  Finding own = finding_at({"cache"}, 1, 1, FindingKind::reachable);
  own.frames[0].module = "/opt/libown.so";
  CHECK(unseen({lines, own}, rules).empty());
  TraceFindings freed = trace_with({lines});
  freed.has_own_stack = true;
  CHECK(verdict_on(std::vector<TraceFindings>{trace_with({lines}), freed}, rules, nullptr, "", blame).passed());
  rules.allow_unmatched = true;
  CHECK(verdict_on({lines}, rules, nullptr, "", blame).passed());
}

TEST_CASE("files for machines have what the rules are about, and nothing else", "[gate]") {
  const auto judged = [](const Rules& rules, bool has_scopes = false) {
    TraceFindings found = trace_with(one_of_each_kind());
    found.has_scopes = has_scopes;
    std::set<std::string> kinds;
    for (const Finding& finding : verdict_on(std::vector<TraceFindings>{found}, rules).judged_only().findings)
      kinds.insert(finding_kind_name(finding.kind));
    return kinds;
  };
  using Kinds = std::set<std::string>;
  CHECK(judged({}) == Kinds{"definite", "mismatched-free"});
  Rules rules;
  rules.fail_on = {FindingKind::possible};
  CHECK(judged(rules) == Kinds{"possible"});
  CHECK(judged(rules, true) == Kinds{"definite", "indirect", "possible"});
  rules.fail_on_reachable_growth = true;
  CHECK(judged(rules) == Kinds{"possible", "reachable"});
  rules = {};
  rules.fail_on = {};
  CHECK(judged(rules).empty());
  rules.max_leaked_bytes = 1;
  CHECK(judged(rules) == Kinds{"definite", "indirect"});
  // What a limit points to moves with the findings.
  rules = {};
  rules.fail_on = {FindingKind::mismatched_free};
  rules.max_site_leaked_bytes = 50;
  const Verdict whole = verdict_on(one_of_each_kind(), rules), part = whole.judged_only();
  REQUIRE(whole.broken_limits.size() == part.broken_limits.size());
  for (size_t i = 0; i < part.broken_limits.size(); ++i)
    CHECK(part.findings.at(part.broken_limits[i].finding.value()).names ==
          whole.findings.at(whole.broken_limits[i].finding.value()).names);
  CHECK(whole.findings.size() == 6);
}

TEST_CASE("findings that fail come first, then by kind, bytes and name; what does not count comes last",
          "[gate][order]") {
  std::vector<Finding> findings = {finding_at({"suppressed"}, 1, 9000),
                                   finding_at({"small"}, 1, 10),
                                   finding_at({"large"}, 1, 1000),
                                   finding_at({"with_indirect"}, 1, 20),
                                   finding_at({"b_equal"}, 1, 10),
                                   finding_at({"known"}, 1, 5000),
                                   finding_at({"reachable"}, 1, 7000, FindingKind::reachable),
                                   finding_at({"mismatched"}, 1, 8000, FindingKind::mismatched_free)};
  findings[3].indirect_bytes = 500;
  const Baseline baseline = baseline_of({findings[5], finding_at({"gone"}, 1, 10'000)});
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::shuffle(findings.begin(), findings.end(), random);
    Names order;
    for (const Finding& finding : verdict_on(findings, {}, &baseline, "leak:suppressed\n").findings)
      order.push_back(finding.names.front());
    REQUIRE(order == Names{"large", "with_indirect", "b_equal", "small", "mismatched", "known", "reachable",
                           "suppressed", "gone"});
  }
}

TEST_CASE("which stack a finding shows does not depend on the order of the traces", "[gate][order]") {
  Finding first = finding_at({"leak", "main"}, 1, 10, FindingKind::mismatched_free), second = first;
  second.frames[1].line = 77;
  first.free_frames = {{"drop", "", "/repo/src/app.c", 40, "/opt/app", 0x40, false}};
  second.free_frames = {{"drop", "", "/repo/src/app.c", 30, "/opt/app", 0x30, false}};
  const Finding one = verdict_on({trace_with({first}), trace_with({second})}).findings.at(0);
  const Finding other = verdict_on({trace_with({second}), trace_with({first})}).findings.at(0);
  CHECK(one.frames[1].line == other.frames[1].line);
  CHECK(one.free_frames[0].line == other.free_frames[0].line);
}

TEST_CASE("a choice of tags or domains that no block has does not pass", "[gate]") {
  Rules rules;
  rules.tags = {"parse"};
  rules.domain = "cpu";
  const auto judged = [&](uint64_t chosen) {
    std::vector<TraceFindings> traces(2);
    for (TraceFindings& trace : traces) trace.trace.is_complete = true;
    traces[1].chosen_allocations = chosen;
    return judge(std::move(traces), rules, {}, {}, nullptr);
  };
  CHECK(judged(1).passed());
  CHECK(judged(0).unseen == std::vector<std::string>{"--tag parse --domain cpu: no block of any trace is judged "
                                                     "(--allow-unmatched lets it pass)"});
  rules.allow_unmatched = true;
  CHECK(judged(0).passed());
}
