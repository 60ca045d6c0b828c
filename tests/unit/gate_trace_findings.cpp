// What is found in one trace.
#include <algorithm>
#include <catch2/catch.hpp>

#include "gate/own_stacks.h"
#include "gate/trace_findings.h"
#include "snapshot_builder.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Kind = format::SnapshotRangeKind;

namespace {

TraceFindings found_in(TraceBuilder& b, const Rules& rules = {}) {
  Trace trace(open_bytes(b.build()));
  return find_in_trace(trace, rules, {}, nullptr);
}

// Of a trace with one of the kind.
const Finding& of_kind(const TraceFindings& found, FindingKind kind) {
  const Finding* the_one = nullptr;
  for (const Finding& finding : found.findings) {
    if (finding.kind != kind) continue;
    REQUIRE(the_one == nullptr);
    the_one = &finding;
  }
  REQUIRE(the_one != nullptr);
  return *the_one;
}

// Three blocks each at two addresses: what is lost holds what is lost with it, and roots hold the rest.
struct AllKinds : MemoryBuilder {
  static constexpr uint64_t kLost = kHeap + 0x1000, kWithIt = kHeap + 0x2000, kByMiddle = kHeap + 0x3000,
                            kHeld = kHeap + 0x4000;
  uint32_t module = add_module("/bin/app", 0x1000, 0x9000, 0x1000);

  AllKinds() {
    add_metadata(format::MetadataRecord::executable, "/bin/app");
    const auto at = [&](uint64_t offset) { return add_node(format::kRootWhole, module, offset); };
    const uint32_t lost = at(0x10), with_it = at(0x20);
    for (uint64_t i = 0; i < 3; ++i) {
      alloc(1, time += 10, kLost + 0x100 * i, 100 + i, lost, format::Function::calloc);
      alloc(1, time += 10, kWithIt + 0x100 * i, 10, with_it);
    }
    alloc(1, time += 10, kByMiddle, 64, at(0x30), format::Function::operator_new_array);
    alloc(1, time += 10, kHeld, 7, at(0x40));
  }
  void finish() {
    begin_snapshot();
    snapshot.range(Kind::file, kData, kDataEnd);
    snapshot.word(kData, kByMiddle + 8);
    snapshot.word(kData + 8, kHeld);
    snapshot.range(Kind::program_break, kHeap, kHeapEnd);
    for (uint64_t i = 0; i < 3; ++i) snapshot.word(kLost + 0x100 * i, kWithIt + 0x100 * i);
    end_snapshot();
  }
};

}  // namespace

TEST_CASE("blocks of one kind and place are one finding, with what is lost with them", "[gate][findings]") {
  AllKinds b;
  b.finish();
  const TraceFindings found = found_in(b);
  CHECK(found.trace.why_unclassified == "");
  CHECK(found.findings.size() == 4);
  const Finding& lost = of_kind(found, FindingKind::definite);
  CHECK(lost.blocks == 3);
  CHECK(lost.bytes == 303);
  CHECK(lost.indirect_blocks == 3);
  CHECK(lost.indirect_bytes == 30);
  CHECK(lost.allocator == "calloc");
  REQUIRE(lost.frames.size() == 1);
  CHECK(lost.frames[0].module == "/bin/app");
  CHECK(lost.names == std::vector<std::string>{"(program)"});
  const Finding& with_it = of_kind(found, FindingKind::indirect);
  CHECK(with_it.blocks == 3);
  CHECK(with_it.indirect_blocks == 0);
  CHECK(of_kind(found, FindingKind::possible).allocator == "new[]");
  CHECK(of_kind(found, FindingKind::reachable).bytes == 7);
}

TEST_CASE("the numbers of a trace are those of its heap", "[gate][findings]") {
  AllKinds b;
  b.free(1, 500, AllKinds::kHeld);
  b.finish();
  const JudgedTrace trace = found_in(b).trace;
  CHECK(trace.path == "test.trace");
  CHECK(trace.pid == 4242);
  CHECK(trace.parent_pid == 1);
  CHECK(trace.executable == "/bin/app");
  CHECK(trace.allocations == 8);
  CHECK(trace.bytes_allocated == 404);
  CHECK(trace.peak_bytes == 404);
  CHECK(trace.temporary == 1);
  CHECK(trace.is_complete);
  CHECK(trace.dropped_events == 0);
}

TEST_CASE("without classes of blocks there are no leaks, but wrong frees", "[gate][findings]") {
  AllKinds b;
  b.free(1, 500, AllKinds::kByMiddle);  // new[] by free
  b.free(1, 600, AllKinds::kHeld);
  b.free(1, 700, AllKinds::kHeld);
  SECTION("for want of a snapshot") {
    b.close(1000);
    CHECK(found_in(b).trace.why_unclassified ==
          "no snapshot of the memory was recorded (MEMPROF_SNAPSHOT=exit takes one)");
  }
  SECTION("for dropped events") {
    b.header.dropped_events[2] = 4;
    b.finish();
    CHECK(found_in(b).trace.why_unclassified == "4 events were dropped");
    CHECK(found_in(b).trace.dropped_events == 4);
  }
  const TraceFindings found = found_in(b);
  CHECK(found.findings.size() == 2);
  CHECK(of_kind(found, FindingKind::mismatched_free).allocator == "new[]");
  CHECK(of_kind(found, FindingKind::mismatched_free).free_function == "free");
  CHECK(of_kind(found, FindingKind::mismatched_free).bytes == 64);
  CHECK(of_kind(found, FindingKind::double_free).bytes == 7);
}

TEST_CASE("a program that another one took the place of left no leaks, and is not unseen for that",
          "[gate][findings]") {
  AllKinds b;
  b.close(1000, format::EndState::exec);
  const TraceFindings found = found_in(b);
  CHECK(found.trace.why_unclassified == "");
  CHECK(found.trace.is_complete);
  CHECK(found.findings.empty());
}

TEST_CASE("what was allocated after a snapshot from the middle of the run is told by its places", "[gate][findings]") {
  const auto unjudged_of = [](format::SnapshotReason reason, format::EndState end = format::EndState::exit) {
    MemoryBuilder b;
    b.begin_snapshot(0, reason);
    b.snapshot.end();
    for (uint64_t i = 1; i <= 2; ++i)
      b.alloc(1, MemoryBuilder::kMoment + 1000 * i, MemoryBuilder::kHeap + 0x1000 * i, 50, b.site);
    b.close(2 * MemoryBuilder::kMoment, end);
    return found_in(b).unjudged;
  };
  const std::vector<Finding> unjudged = unjudged_of(format::SnapshotReason::call);
  REQUIRE(unjudged.size() == 1);
  CHECK(unjudged[0].blocks == 2);
  CHECK(unjudged[0].bytes == 100);
  CHECK(unjudged[0].allocator == "malloc");
  CHECK(unjudged_of(format::SnapshotReason::exit).empty());
  CHECK(unjudged_of(format::SnapshotReason::call, format::EndState::exec).empty());
}

TEST_CASE("whether anything went through a module is asked of freed blocks' stacks as well", "[gate][findings]") {
  MemoryBuilder b;
  const uint32_t own = b.add_module("/lib/libown.so", 0x1000, 0x9000, 0x1000),
                 other = b.add_module("/bin/app", 0x10000, 0x90000, 0x10000);
  const uint32_t stack = b.add_node(b.add_node(format::kRootWhole, own, 0x10), other, 0x20);
  b.alloc(1, 10, MemoryBuilder::kHeap, 8, stack);
  b.free(1, 20, MemoryBuilder::kHeap);
  b.close(100);
  const Trace trace(open_bytes(b.build()));
  const auto goes_through = [&](const char* pattern) {
    std::string problem;
    return has_own_stack(trace, {}, Blame::parse({pattern}, {}, problem));
  };
  CHECK(goes_through("libown.so"));
  CHECK(goes_through("app"));
  CHECK_FALSE(goes_through("libother.so"));
}

TEST_CASE("a trace that goes on is not complete", "[gate][findings]") {
  AllKinds b;
  b.finish();
  b.header.end_state = format::EndState::running;
  CHECK_FALSE(found_in(b).trace.is_complete);
}

TEST_CASE("which of the stacks of a place is shown does not depend on the order of events", "[gate][findings][order]") {
  const auto shown = [](std::vector<uint64_t> offsets, bool is_free) {
    MemoryBuilder b;
    b.header.flags = 0;
    const uint32_t module = b.add_module("/bin/app", 0x1000, 0x9000, 0x1000);
    b.add_metadata(format::MetadataRecord::executable, "/bin/app");
    const uint32_t site = b.add_node(format::kRootWhole, module, 0x77);
    uint64_t address = MemoryBuilder::kHeap;
    for (const uint64_t offset : offsets) {
      const uint32_t stack = b.add_node(format::kRootWhole, module, offset);
      address += 0x100;
      b.alloc(1, b.time += 10, address, 8, is_free ? site : stack, format::Function::operator_new_array);
      if (is_free) b.free(1, b.time += 10, address, format::Function::free, 0, stack);
    }
    b.begin_snapshot();
    b.end_snapshot();
    const TraceFindings found = found_in(b);
    REQUIRE(found.findings.size() == 1);
    const auto& frames = is_free ? found.findings[0].free_frames : found.findings[0].frames;
    REQUIRE(frames.size() == 1);
    return frames[0].offset;
  };
  const bool is_free = GENERATE(false, true);
  CHECK(shown({0x10, 0x20, 0x30}, is_free) == shown({0x30, 0x10, 0x20}, is_free));
  CHECK(shown({0x10, 0x20, 0x30}, is_free) == shown({0x20, 0x30, 0x10}, is_free));
}

TEST_CASE("only blocks of the tags and the domains that are named are judged", "[gate]") {
  AllKinds b;
  b.finish();
  Rules rules;
  rules.tags = {"calloc"};
  const TraceFindings found = found_in(b, rules);
  CHECK(found.unknown.empty());
  for (const Finding& finding : found.findings) CHECK(finding.allocator == "calloc");
  CHECK(of_kind(found, FindingKind::definite).blocks == 3);
  CHECK(of_kind(found, FindingKind::definite).indirect_blocks == 0);
  CHECK(found.trace.allocations == 3);
  CHECK(found.chosen_allocations == 3);

  rules.tags = {"!calloc"};
  rules.domain = "cpu,gpu";
  const TraceFindings others = found_in(b, rules);
  CHECK(of_kind(others, FindingKind::indirect).blocks == 3);
  CHECK(of_kind(others, FindingKind::possible).allocator == "new[]");
  CHECK(others.trace.allocations == 5);

  rules.tags = {"valloc"};
  CHECK(found_in(b, rules).chosen_allocations == 0);
  CHECK(found_in(b, rules).findings.empty());

  rules.tags = {"caloc"};
  rules.domain = "cpi";
  const auto unknown = found_in(b, rules).unknown;
  REQUIRE(unknown.size() == 2);
  CHECK_THAT(unknown.begin()->message, Catch::Contains("did you mean cpu?"));
  CHECK_THAT(unknown.rbegin()->message, Catch::Contains("did you mean calloc?"));
}
