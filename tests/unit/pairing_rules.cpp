#include <catch2/catch.hpp>

#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using format::Function;

TEST_CASE("a freed block is closed and not open", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.alloc(1, 20, 0x2000, 8, s);
  b.free(1, 30, 0x1000);
  b.close(100);
  const Analysed a(b);
  CHECK(a.heap().allocations == 2);
  CHECK(a.heap().bytes_allocated == 32);
  CHECK(a.heap().open_chunks() == 1);
  CHECK(a.heap().open_bytes() == 8);
  CHECK(a.heap().closed_chunks() == 1);
  CHECK(a.heap().closed_bytes() == 24);
  CHECK(a.heap().frees() == 1);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().sites.peak_bytes() == 32);
  CHECK(a.heap().sites.peak_chunks() == 2);
  CHECK(a.trace.clock.ns_since_start(a.heap().sites.peak_ticks()) == 20);
  CHECK(a.trace.file.complete());
}

TEST_CASE("a free on one thread sorts before the reuse of its address on another at the same tick", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.alloc(2, 50'000, 0x1000, 48, s);  // stream 2 also reuses later, so that order is decided by the tick alone
  b.free(1, 50'000, 0x1000);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().open_chunks() == 1);
  CHECK(a.heap().open_bytes() == 48);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().sites.peak_bytes() == 48);
}

TEST_CASE("a block freed by another thread a moment before its allocation is stamped is paired", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 1000, 0x1000, 24, s);
  b.free(2, 900, 0x1000);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().open_chunks() == 0);
  CHECK(a.heap().closed_chunks() == 1);
  CHECK(a.heap().sites.peak_bytes() == 24);
}

TEST_CASE("an address reused by another thread a moment before its free is stamped is paired", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.free(1, 1000, 0x1000);
  b.alloc(2, 950, 0x1000, 48, s);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().open_bytes() == 48);
  CHECK(a.heap().sites.peak_bytes() == 48);  // the inversion is no overlap
}

TEST_CASE("inversions between a thread and its signal handler's stream are resolved too", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 1000, 0x1000, 24, s);
  b.free(1001, 999, 0x1000);  // stream 1001 belongs to thread 1
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.result.threads.size() == 1);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().closed_chunks() == 1);
}

TEST_CASE("a free long before an allocation of its address is an orphan", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.free(2, 900, 0x1000);
  b.alloc(1, 900 + kReorderWindowNs + 1, 0x1000, 24, s);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 1);
  CHECK(a.heap().open_chunks() == 1);
}

TEST_CASE("a free right before an allocation of the same stream is an orphan", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(2, 1, 0x5000, 1, s);
  b.free(1, 900, 0x1000);
  b.alloc(1, 901, 0x1000, 24, s);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 1);
  CHECK(a.heap().open_chunks() == 2);
}

TEST_CASE("an address allocated twice is counted with both stacks, and the older block stays open", "[pairing]") {
  for (const uint32_t second_stream : {1u, 2u}) {
    TraceBuilder b;
    const uint32_t s1 = b.stack(0x100), s2 = b.stack(0x200);
    b.alloc(1, 10, 0x1000, 24, s1, Function::calloc);
    b.alloc(second_stream, 20, 0x1000, 48, s2);
    b.free(second_stream, 60'000, 0x1000);
    b.close(100'000);
    const Analysed a(b);
    CHECK(a.heap().double_allocations == 1);
    CHECK(a.heap().allocations == 2);
    CHECK(a.heap().open_bytes() == 24);
    CHECK(a.heap().closed_bytes() == 48);
    CHECK(a.heap().orphans() == 0);
    const auto groups = a.result.pairing.findings().double_allocations();
    REQUIRE(groups.size() == 1);
    CHECK(groups[0].first_stack == s1);
    CHECK(groups[0].second_stack == s2);
    CHECK(groups[0].first_tag == static_cast<uint16_t>(Function::calloc));
    CHECK(groups[0].address == 0x1000);
    CHECK(groups[0].count == 1);
  }
}

TEST_CASE("a thread that frees the block it allocated over an open one frees its own", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.alloc(2, 20'000, 0x1000, 48, s);
  b.free(2, 20'010, 0x1000);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().double_allocations == 1);
  CHECK(a.heap().open_bytes() == 24);
}

TEST_CASE("an inverted free does not take the block that its own thread ends", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 20'200, 0x1000, 1, s);
  b.free(1, 20'250, 0x1000);
  b.free(2, 20'260, 0x1000);  // truly after the allocation of 2 bytes
  b.alloc(1, 20'300, 0x1000, 4, s);
  b.free(1, 20'320, 0x1000);
  b.alloc(1, 20'360, 0x1000, 2, s);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().open_chunks() == 0);
  CHECK(a.heap().sites.peak_bytes() == 4);
}

TEST_CASE("a free that seemed to end an older block of its address gives it back", "[pairing]") {
  TraceBuilder b;
  const uint32_t s1 = b.stack(0x100), s2 = b.stack(0x200);
  b.alloc(1, 20'000, 0x1000, 1, s1);
  b.free(2, 20'150, 0x1000);  // truly after the allocation of 2 bytes
  b.free(1, 20'200, 0x1000);
  b.alloc(1, 20'250, 0x1000, 2, s2);
  b.alloc(2, 90'000, 0x1000, 8, s2);
  b.close(100'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().allocations == 3);
  CHECK(a.heap().open_bytes() == 8);
}

TEST_CASE("a dispute that never rests is settled as it goes", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  constexpr unsigned kUses = 1000;
  for (unsigned i = 0; i < kUses; ++i) {
    b.free(2, 1000 + i * 200, 0x1000);
    b.alloc(1, 1100 + i * 200, 0x1000, 8, s);
  }
  b.close(10'000'000);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().open_chunks() == 0);
  CHECK(a.heap().frees() == kUses);
}

TEST_CASE("a pause explains no orphan from before it", "[pairing]") {
  TraceBuilder b;
  b.header.live_flags = format::kLateStart;
  b.add_pause(500);
  b.add_pause(900);
  b.free(1, 10, 0x1000);
  b.free(1, 600, 0x2000);
  b.free(1, 1000, 0x3000);
  b.close(2000);
  const Analysed a(b);
  CHECK(a.heap().orphaned[1] == 2);
  CHECK(a.heap().orphaned[2] == 1);
}

TEST_CASE("orphans are told apart by what the trace says of itself", "[pairing]") {
  struct Case {
    uint32_t flags, live_flags;
    uint64_t inherited, before_start, unknown, filtered;
  };
  const Case cases[] = {{0, 0, 0, 0, 1, 0},
                        {format::kForkChild, 0, 1, 0, 0, 0},
                        {format::kLateStart, 0, 0, 1, 0, 0},
                        {0, format::kLateStart, 0, 1, 0, 0},
                        {format::kForkChild | format::kLateStart, 0, 1, 0, 0, 0},
                        {format::kFiltered, 0, 0, 0, 0, 1},
                        {format::kFiltered | format::kForkChild, 0, 0, 0, 0, 1}};
  for (const Case& c : cases) {
    TraceBuilder b;
    b.header.flags = c.flags;
    b.header.live_flags = c.live_flags;
    b.free(1, 10, 0x1000);
    b.close(100);
    const Analysed a(b);
    CHECK(a.heap().orphaned[0] == c.inherited);
    CHECK(a.heap().orphaned[1] == c.before_start);
    CHECK(a.heap().orphaned[2] == c.unknown);
    CHECK(a.heap().filtered_frees == c.filtered);
    CHECK(a.heap().frees() == a.heap().closed_chunks() + a.heap().orphans());
  }
}

TEST_CASE("a realloc closes the old block at its begin and opens the new one at its end", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 100, s);
  b.realloc(1, 100'000, 300'000, 0x1000, 0x2000, 200, s);
  // The old address goes to thread 2 while the realloc is still running.
  b.alloc(2, 200'000, 0x1000, 50, s);
  b.close(1'000'000);
  const Analysed a(b);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().allocations == 3);
  CHECK(a.heap().closed_chunks() == 1);
  CHECK(a.heap().open_bytes() == 250);
  CHECK(a.result.pairing.event_count() == 3);
}

TEST_CASE("a realloc in place keeps the address", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 100, s);
  b.realloc(1, 20, 21, 0x1000, 0x1000, 110, s);
  b.free(1, 30, 0x1000);
  b.close(100);
  const Analysed a(b);
  CHECK(a.heap().allocations == 2);
  CHECK(a.heap().bytes_allocated == 210);
  CHECK(a.heap().open_chunks() == 0);
  CHECK(a.heap().sites.peak_bytes() == 110);
}

TEST_CASE("a block is temporary when the very next event of its thread ends it", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 8, s);  // temporary
  b.alloc(2, 11, 0x9000, 8, s);  // another thread's events do not matter; 0x9000 is not: thread 1 frees it
  b.free(1, 12, 0x1000);
  b.free(1, 13, 0x9000);
  b.alloc(1, 20, 0x2000, 8, s);                // not: an event comes between
  b.alloc(1, 21, 0x3000, 8, s);                // temporary: reallocated at once
  b.realloc(1, 22, 23, 0x3000, 0x4000, 8, s);  // temporary: its new block is freed at once
  b.free(1, 24, 0x4000);
  b.free(1, 25, 0x2000);
  b.close(100);
  const Analysed a(b);
  CHECK(a.heap().temporary == 3);
  CHECK(a.heap().sites.all()[0].temporary == 3);
}

TEST_CASE("domains are separate accounts of the same addresses", "[pairing]") {
  TraceBuilder b;
  b.define_domain(16, "gpu memory of \"X\"");
  b.define_tag(300, Function::pool_alloc, 16, "textures");
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.alloc_tagged(1, 20, 0x1000, 4096, s, 300);
  b.free(1, 30, 0x1000);
  b.close(100);
  const Analysed a(b);
  CHECK(a.heap().open_chunks() == 0);
  CHECK(a.heap().double_allocations == 0);
  REQUIRE(a.domain("gpu memory of \"X\"") != nullptr);
  CHECK(a.domain("gpu memory of \"X\"")->open_bytes() == 4096);
  CHECK(a.domain("gpu memory of \"X\"")->allocations == 1);
}

TEST_CASE("a block freed by a function of another family is mismatched", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  const std::pair<Function, Function> wrong[] = {{Function::operator_new, Function::free},
                                                 {Function::operator_new_array, Function::operator_delete},
                                                 {Function::malloc, Function::operator_delete_array}};
  const std::pair<Function, Function> right[] = {{Function::operator_new, Function::operator_delete},
                                                 {Function::operator_new_array, Function::operator_delete_array},
                                                 {Function::aligned_alloc, Function::free_sized}};
  uint64_t time = 0;
  for (const auto& pairs : {wrong, right})
    for (size_t i = 0; i < 3; ++i) {
      b.alloc(1, time += 10, 0x1000, 24, s, pairs[i].first);
      b.free(1, time += 10, 0x1000, pairs[i].second);
    }
  b.alloc(1, time += 10, 0x1000, 24, s, Function::operator_new);
  b.realloc(1, time + 10, time + 10, 0x1000, 0x2000, 48, s);  // realloc frees with malloc's family
  b.close(1000);
  const Analysed a(b);
  CHECK(a.heap().mismatched_frees == 4);
  const auto groups = a.result.pairing.findings().mismatches();
  CHECK(groups.size() == 4);
  for (const auto& group : groups) {
    CHECK(group.alloc_stack == s);
    CHECK(group.count == 1);
    CHECK(group.bytes == 24);
  }
}

TEST_CASE("held events are bounded however many share one instant", "[pairing]") {
  TraceBuilder b;
  b.header.page_size = 1u << 20;
  const uint32_t s = b.stack(0x100);
  b.alloc(2, 5, 0x10, 1, s);
  for (uint64_t i = 0; i < 200'000; ++i) b.free(1, 10, 0x100000 + i * 16);
  b.close(100);
  const Analysed a(b);
  CHECK(a.heap().orphans() == 200'000);
}
