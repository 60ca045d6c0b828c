// Small traces that are made to cost much. That these tests end is what they show; sizes are asserted, times are not.
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "every_report.h"
#include "model/pending_window.h"

using namespace memprof;
using namespace memprof::test;
using format::Function;

namespace {

ReportOptions without_symbols() {
  ReportOptions options;
  options.symbols = false;
  return options;
}

// The k-th of the addresses whose product with the golden ratio has two equal halves: a hash that folds the product
// gives the same low bits to all.
uint64_t folding_address(uint64_t k) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  uint64_t inverse = kGolden;  // right in the lowest three bits; each step doubles them
  for (int i = 0; i < 5; ++i) inverse *= 2 - kGolden * inverse;
  return (k << 32 | k) * inverse;
}

}  // namespace

TEST_CASE("blocks at addresses that were chosen for one bucket cost what others cost", "[hostile]") {
  constexpr uint64_t kBlocks = 30'000;
  for (const bool folds : {false, true}) {
    TraceBuilder b;
    b.header.page_size = format::kMaxPageSize;
    const uint32_t s = b.stack(0x100);
    for (uint64_t k = 1; k <= kBlocks; ++k) b.alloc(1, k, folds ? folding_address(k) : k << 36, 16, s);
    const Analysed a(b);
    REQUIRE(a.heap().open_chunks() == kBlocks);
    CHECK(a.heap().live.places() <= 8 * kBlocks);
  }
}

TEST_CASE("events that wait at addresses that were chosen for one bucket find their partners", "[hostile]") {
  PendingWindow window(1000);
  constexpr uint64_t kEvents = 30'000;
  for (uint64_t k = 1; k <= kEvents; ++k)
    window.push({{k, 1, 0, false}, Event{5, k << 36, 0, 0, 0, EventKind::release, false}});
  for (uint64_t k = kEvents; k >= 1; --k) REQUIRE(window.take_oldest(k << 36).event.address == k << 36);
  CHECK(window.empty());
}

TEST_CASE("stack nodes that were chosen for one bucket are all different", "[hostile]") {
  TraceBuilder b;
  b.header.page_size = format::kMaxPageSize;
  constexpr uint64_t kNodes = 30'000;
  uint32_t last = 0;
  for (uint64_t k = 1; k <= kNodes; ++k) last = b.add_node(format::kRootWhole, 0, folding_address(k));
  b.alloc(1, 1, 0x1000, 16, last);
  const Analysed a(b);
  CHECK(a.trace.nodes.node_count() == kNodes);
  CHECK(a.trace.nodes.canonical(last) == last);
}

TEST_CASE("every number of a domain may be in use", "[hostile]") {
  TraceBuilder b;
  b.header.page_size = format::kMaxPageSize;
  for (uint32_t number = format::kFirstDefinedDomain; number <= UINT16_MAX; ++number)
    b.define_domain(static_cast<uint16_t>(number), "");
  // Only tags can name the numbers that the format keeps for itself.
  for (uint16_t number = 0; number < format::kFirstDefinedDomain; ++number)
    b.define_tag(static_cast<uint16_t>(format::kFirstDefinedTag + number), Function::pool_alloc, number, "");
  b.alloc_tagged(1, 10, 0x1000, 24, b.stack(0x100), format::kFirstDefinedTag + 15);
  b.close(100);
  Trace trace(open_bytes(b.build()));
  REQUIRE(trace.domains.all().size() == size_t{UINT16_MAX} + 1);
  ReportOptions options = without_symbols();
  options.domain = "domain 15";
  CHECK(every_report(trace, options).text.find("24 B in 1 block not freed at exit, from 1 stack") != std::string::npos);
  const Analysis analysis = analyse(trace);
  options.domain = "no such domain";
  written_by([&](Output& out) { CHECK_FALSE(report_leaks(analysis, options, out)); });
}

TEST_CASE("the hole behind the pages of a closed trace is not searched page by page", "[hostile]") {
  TraceBuilder b;
  b.alloc(1, 10, 0x1000, 24, b.stack(0x100));
  b.close(100);
  const int file = memory_file(b.build());
  // As many pages as the format knows, and no byte of them on disk.
  REQUIRE(::ftruncate(file, static_cast<off_t>(format::kMaxPages * format::kMinPageSize)) == 0);
  const Trace trace(TraceFile::from_descriptor(file, "sparse"));
  CHECK(trace.file.complete());
  CHECK(trace.file.unwritten_pages() == format::kMaxPages - 3);
  CHECK(analyse(trace).heap()->open_bytes() == 24);
}

TEST_CASE("a page behind the count is found, however far away", "[hostile]") {
  TraceBuilder b;
  b.alloc(1, 10, 0x1000, 24, b.stack(0x100));
  b.new_page(1);
  b.alloc(1, 20, 0x2000, 48, b.stack(0x200));
  b.close(100);
  b.pages();
  Bytes bytes = b.build();
  format::FileHeader head;
  std::memcpy(&head, bytes.data(), sizeof head);
  head.page_count = 2 | format::kPageCountClosed;
  std::memcpy(bytes.data(), &head, sizeof head);
  const Trace trace(open_bytes(bytes));
  CHECK(trace.file.page_count() == bytes.size() / format::kMinPageSize);
  CHECK_FALSE(trace.file.complete());
  REQUIRE(trace.file.damage().warnings().size() == 1);
  CHECK(trace.file.damage().warnings()[0] == "the header counts 2 pages, but page 2 is written");
}

TEST_CASE("a chain of nodes is as deep as a stack may be, whatever the trace says", "[hostile]") {
  TraceBuilder b;
  b.header.page_size = format::kMaxPageSize;
  constexpr uint64_t kDepth = 400'000;
  uint32_t node = format::kRootWhole;
  for (uint64_t depth = 1; depth <= kDepth; ++depth) node = b.add_node(node, format::kNoModule, depth);
  // Freed by the wrong function on as many stacks as there are groups: each is judged by its innermost frame.
  for (uint32_t i = 0; i < 12'000; ++i) {
    b.alloc(1, 2 * i, 0x1000, 24, node - i, Function::operator_new);
    b.free(1, 2 * i + 1, 0x1000, Function::free);
  }
  b.alloc(1, 100'000, 0x1000, 24, node);
  b.close(200'000);
  const Trace trace(open_bytes(b.build()));
  bool more = false;
  CHECK(trace.nodes.frames(node, SIZE_MAX, &more).size() == StackNodes::kMaxFrames);
  CHECK(more);
  const Analysis analysis = analyse(trace);
  CHECK(analysis.heap()->mismatched_frees == 12'000);
  const std::string text = written_by([&](Output& out) { report_summary_text(analysis, without_symbols(), out); });
  CHECK(text.find("more frames") != std::string::npos);
}

TEST_CASE("a node cannot be its own ancestor", "[hostile]") {
  for (const uint32_t parent : {20u, 21u, 0xfffffff0u}) {
    TraceBuilder b;
    b.add_node_with_id(20, parent, 0, 0x100);
    b.add_node_with_id(21, 20, 0, 0x200);
    b.alloc(1, 10, 0x1000, 24, 21);
    const Analysed a(b);
    CHECK(a.trace.file.damage().pages() == 1);
    CHECK(a.trace.nodes.is_truncated(21));
    CHECK(a.trace.nodes.frames(21, SIZE_MAX).empty());
  }
}

TEST_CASE("names as long as the format allows are cut to the line", "[hostile]") {
  TraceBuilder b;
  b.header.page_size = format::kMaxPageSize;
  std::vector<uint32_t> stacks;
  uint32_t node = format::kRootWhole;
  for (uint64_t i = 0; i < 12; ++i)
    node = b.add_node(node, b.add_module(std::string(UINT16_MAX, '\1'), 0x1000, 0x2000, 0), 0x1100 + i);
  b.alloc(1, 10, 0x1000, 24, node);
  b.close(100);
  const Trace trace(open_bytes(b.build()));
  const Analysis analysis = analyse(trace);
  const std::string text = written_by([&](Output& out) { report_summary_text(analysis, without_symbols(), out); });
  CHECK(text.size() < 20'000);
}
