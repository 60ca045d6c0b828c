// Scopes with a budget: how a trace tells of them, and what the gate makes of them.
#include <catch2/catch.hpp>
#include <fstream>

#include "gate/finding_text.h"
#include "gate/judge.h"
#include "gate/scopes.h"
#include "new_directory.h"
#include "report/reports.h"
#include "trace_builder.h"
#include "trace_opened.h"

using namespace memprof;
using test::Bytes;
using test::TraceBuilder;

namespace {

template <class Head>
std::string payload_of(const Head& head, std::string_view name = "") {
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + std::string(name);
}

void begin(TraceBuilder& builder, uint32_t thread, uint64_t time, std::string_view name, uint64_t bytes = 0,
           uint64_t blocks = 0) {
  builder.add_metadata(format::MetadataRecord::scope_begin,
                       payload_of(format::ScopeBegin{TraceBuilder::kStart + time, bytes, blocks, thread, 0}, name));
}
void end(TraceBuilder& builder, uint32_t thread, uint64_t time) {
  builder.add_metadata(format::MetadataRecord::scope_end,
                       payload_of(format::ScopeEnd{TraceBuilder::kStart + time, thread, 0}));
}

class Scopes {
 public:
  explicit Scopes(TraceBuilder& builder)
      : trace_(test::open_bytes(builder.build())), timeline_(trace_.metadata, trace_.file.header()) {}

  // The name of the scope that a block counts for; "none".
  std::string at(uint32_t thread, uint64_t time) const {
    const auto scope = timeline_.scope_of(thread, TraceBuilder::kStart + time);
    return scope ? timeline_.scopes().at(*scope).name : "none";
  }
  std::vector<std::string> warnings() const { return timeline_.warnings(); }
  size_t count() const { return timeline_.scopes().size(); }
  const Trace& trace() const { return trace_; }

 private:
  Trace trace_;
  ScopeTimeline timeline_;
};

Finding leak_at(uint64_t fingerprint, uint64_t blocks, uint64_t bytes, FindingKind kind = FindingKind::definite) {
  Finding finding;
  finding.kind = kind;
  finding.fingerprint = fingerprint;
  finding.names = {"f" + std::to_string(fingerprint)};
  finding.frames = {{"f" + std::to_string(fingerprint), "", "/src/f.c", 1, "/bin/app", 1, false}};
  finding.allocator = "malloc";
  finding.blocks = blocks;
  finding.bytes = bytes;
  return finding;
}

ScopeLeaks scope_with(const char* name, uint64_t max_bytes, uint64_t max_blocks, const std::vector<Finding>& leaks) {
  ScopeLeaks scope{{name, max_bytes, max_blocks}, {}};
  for (const Finding& leak : leaks)
    scope.parts.push_back({leak.kind, leak.fingerprint, leak.allocator, leak.blocks, leak.bytes});
  return scope;
}

TraceFindings trace_with(std::vector<Finding> findings, std::vector<ScopeLeaks> scopes) {
  TraceFindings found;
  found.trace.path = "trace.bin";
  found.trace.is_complete = true;
  found.findings = std::move(findings);
  found.has_scopes = true;
  found.scope_leaks = std::move(scopes);
  return found;
}

Rules scopes_alone() {
  Rules rules;
  rules.fail_on.clear();
  return rules;
}

Verdict judged(std::vector<TraceFindings> traces, const Rules& rules = scopes_alone(),
               const Baseline* baseline = nullptr, const std::string& suppressions = "",
               const std::vector<std::string>& only_from = {}) {
  std::string problem;
  const Blame blame = Blame::parse(only_from, {}, problem);
  Suppressions all;
  if (!suppressions.empty()) REQUIRE(all.add_text(suppressions, "test.supp").empty());
  return judge(std::move(traces), rules, blame, std::move(all), baseline);
}

}  // namespace

TEST_CASE("a block counts for the scope of its thread that was open", "[scopes]") {
  TraceBuilder builder;
  begin(builder, 1, 100, "one");
  begin(builder, 2, 150, "two");
  end(builder, 1, 200);
  end(builder, 2, 250);
  const Scopes scopes(builder);
  CHECK(scopes.count() == 2);
  CHECK(scopes.at(1, 50) == "none");
  CHECK(scopes.at(1, 150) == "one");
  CHECK(scopes.at(1, 240) == "none");
  CHECK(scopes.at(2, 120) == "none");
  CHECK(scopes.at(2, 200) == "two");
  CHECK(scopes.at(3, 200) == "none");
  CHECK(scopes.warnings().empty());
}

TEST_CASE("of nested scopes a block counts for the innermost", "[scopes]") {
  TraceBuilder builder;
  begin(builder, 1, 100, "outer");
  begin(builder, 1, 200, "inner");
  end(builder, 1, 300);
  begin(builder, 1, 400, "second");
  end(builder, 1, 500);
  end(builder, 1, 600);
  const Scopes scopes(builder);
  CHECK(scopes.at(1, 150) == "outer");
  CHECK(scopes.at(1, 250) == "inner");
  CHECK(scopes.at(1, 350) == "outer");
  CHECK(scopes.at(1, 450) == "second");
  CHECK(scopes.at(1, 550) == "outer");
  CHECK(scopes.at(1, 650) == "none");
}

TEST_CASE("records of a signal handler's scopes are put in the order of their times", "[scopes]") {
  TraceBuilder builder;
  begin(builder, 1, 200, "handler");  // written while the begin of the other waited
  end(builder, 1, 300);
  begin(builder, 1, 100, "interrupted");
  end(builder, 1, 400);
  const Scopes scopes(builder);
  CHECK(scopes.at(1, 150) == "interrupted");
  CHECK(scopes.at(1, 250) == "handler");
  CHECK(scopes.at(1, 350) == "interrupted");
  CHECK(scopes.warnings().empty());
}

TEST_CASE("stamps that were rounded up stay on their side of a begin and an end", "[scopes]") {
  TraceBuilder builder;
  builder.header.time_shift = 4;
  begin(builder, 1, 1000, "one");
  end(builder, 1, 2000);
  const Scopes scopes(builder);
  CHECK(scopes.at(1, 1015) == "none");
  CHECK(scopes.at(1, 1017) == "one");
  CHECK(scopes.at(1, 2015) == "one");
  CHECK(scopes.at(1, 2017) == "none");
}

TEST_CASE("scopes that are wrongly nested are counted and told", "[scopes]") {
  TraceBuilder builder;
  end(builder, 1, 50);
  begin(builder, 1, 100, "open");
  begin(builder, 2, 100, "done");
  end(builder, 2, 200);
  end(builder, 2, 300);
  const Scopes scopes(builder);
  CHECK(scopes.at(1, 100000) == "open");
  CHECK(scopes.warnings() ==
        std::vector<std::string>{
            "memprof_scope_end: 2 calls in no scope of their thread",
            "memprof_scope_begin: 1 scope is never ended, so it lasts to the end of the trace (the first: open)"});
}

TEST_CASE("a forked child ends scopes that its parent began, and is not blamed", "[scopes]") {
  TraceBuilder builder;
  builder.header.flags |= format::kForkChild;
  end(builder, 1, 50);
  const Scopes scopes(builder);
  CHECK(scopes.warnings().empty());
}

TEST_CASE("a scope's record that is too short is damage, and the others count", "[scopes]") {
  TraceBuilder builder;
  const std::string whole = payload_of(format::ScopeBegin{});
  for (size_t bytes = 0; bytes < whole.size(); ++bytes)
    builder.add_metadata(format::MetadataRecord::scope_begin, whole.substr(0, bytes));
  builder.add_metadata(format::MetadataRecord::scope_end, "short");
  begin(builder, 1, 100, "good");
  const Scopes scopes(builder);
  CHECK(scopes.count() == 1);
  CHECK(scopes.trace().file.damage().any());
}

TEST_CASE("scopes with any numbers are read", "[scopes]") {
  TraceBuilder builder;
  for (const uint64_t ticks : {uint64_t{0}, UINT64_MAX, UINT64_MAX - 1}) {
    builder.add_metadata(format::MetadataRecord::scope_begin,
                         payload_of(format::ScopeBegin{ticks, UINT64_MAX, UINT64_MAX, UINT32_MAX, 7}, "\xff\x1b[2J"));
    builder.add_metadata(format::MetadataRecord::scope_end, payload_of(format::ScopeEnd{ticks, 0, 7}));
  }
  const Scopes scopes(builder);
  CHECK(scopes.count() == 3);
  CHECK(scopes.at(UINT32_MAX, 0) == "\xff\x1b[2J");
  CHECK(scopes.warnings().size() == 2);
}

TEST_CASE("dump tells of scopes", "[scopes]") {
  TraceBuilder builder;
  begin(builder, 1, 100, "a\nname", 4096, UINT64_MAX);
  end(builder, 1, 200);
  const Trace trace(test::open_bytes(builder.build()));
  DumpSections sections;
  sections.metadata = true;
  const std::string text = test::written_by([&](Output& out) { report_dump(trace, sections, out); });
  CHECK_THAT(text, Catch::Contains("  scope_begin 100 ns thread 1 bytes 4096 blocks any a\\x0aname\n"
                                   "  scope_end 200 ns thread 1\n"));
}

TEST_CASE("a scope within its budget passes, one above it fails by its name", "[scopes]") {
  const std::vector<Finding> leaks = {leak_at(1, 2, 100), leak_at(2, 1, 60)};
  CHECK(judged({trace_with(leaks, {scope_with("parse", 160, 3, leaks)})}).passed());
  const Verdict verdict = judged({trace_with(leaks, {scope_with("parse", 159, 2, leaks)})});
  CHECK_FALSE(verdict.passed());
  REQUIRE(verdict.broken_limits.size() == 2);
  CHECK(describe_limit(verdict.broken_limits[0]) == "scope parse (blocks): 3, over the limit of 2");
  CHECK(describe_limit(verdict.broken_limits[1]) == "scope parse (bytes): 160 B, over the limit of 159 B");
  for (const BrokenLimit& broken : verdict.broken_limits) {
    CHECK(broken.rule == "scope");
    CHECK(broken.subject == "parse");
    REQUIRE(broken.finding);
    CHECK(verdict.findings[*broken.finding].fingerprint == 1);
  }
}

TEST_CASE("each scope of a name is judged by itself, and the worst is told", "[scopes]") {
  const std::vector<Finding> all = {leak_at(1, 5, 90)};
  const auto part = [](uint64_t bytes) { return std::vector<Finding>{leak_at(1, 1, bytes)}; };
  CHECK(judged({trace_with(all, {scope_with("request", 50, 9, part(45)), scope_with("request", 50, 9, part(45))})})
            .passed());
  const Verdict verdict =
      judged({trace_with(all, {scope_with("request", 10, 9, part(20)), scope_with("request", 10, 9, part(40))}),
              trace_with(all, {scope_with("request", 10, 9, part(30)), scope_with("other", 0, 9, part(1))})});
  REQUIRE(verdict.broken_limits.size() == 2);
  CHECK(verdict.broken_limits[0].subject == "other");
  CHECK(verdict.broken_limits[1].found == 40);
}

TEST_CASE("what is suppressed, foreign, known or no leak does not count for a scope", "[scopes]") {
  const std::vector<Finding> leaks = {leak_at(1, 1, 100)};
  const std::vector<ScopeLeaks> scopes = {scope_with("strict", 0, 0, leaks)};
  REQUIRE_FALSE(judged({trace_with(leaks, scopes)}).passed());
  CHECK(judged({trace_with(leaks, scopes)}, scopes_alone(), nullptr, "leak:f1\n").passed());
  CHECK(judged({trace_with(leaks, scopes)}, scopes_alone(), nullptr, "", {"/elsewhere"}).passed());
  CHECK_FALSE(judged({trace_with(leaks, scopes)}, scopes_alone(), nullptr, "", {"/src"}).passed());
  const test::NewDirectory directory;
  std::ofstream(directory.at("leaks.json")) << baseline_text(leaks, false);
  const Baseline baseline = Baseline::read(directory.at("leaks.json"));
  CHECK(judged({trace_with(leaks, scopes)}, scopes_alone(), &baseline).passed());
  const std::vector<Finding> possible = {leak_at(1, 1, 100, FindingKind::possible)};
  CHECK(judged({trace_with(possible, {scope_with("strict", 0, 0, possible)})}).passed());
  Rules with_possible = scopes_alone();
  with_possible.fail_on = {FindingKind::possible};
  CHECK(judged({trace_with(possible, {scope_with("strict", 0, 0, possible)})}, with_possible).broken_limits.size() ==
        2);
}

TEST_CASE("a definite leak within a scope's budget fails all the same, unless nothing is to fail", "[scopes]") {
  const std::vector<Finding> leaks = {leak_at(1, 1, 100)};
  const std::vector<ScopeLeaks> scopes = {scope_with("generous", 1000, 10, leaks)};
  const Verdict verdict = judged({trace_with(leaks, scopes)}, Rules{});
  CHECK_FALSE(verdict.passed());
  CHECK(verdict.broken_limits.empty());
  CHECK(judged({trace_with(leaks, scopes)}).passed());
}

TEST_CASE("a gate on scopes alone does not pass where blocks are not classified", "[scopes]") {
  TraceFindings found = trace_with({}, {});
  found.trace.why_unclassified = "there is no snapshot";
  CHECK(judged({found}).unseen.size() == 1);
  Rules allowing = scopes_alone();
  allowing.allow_unclassified = true;
  CHECK(judged({found}, allowing).passed());
  found.has_scopes = false;
  CHECK(judged({found}).passed());
}
