// Every truncation and every flipped byte: a result or a TraceError, and where there is a result, one that says what
// it lost. Run under ASan and UBSan as well.
#include <catch2/catch.hpp>

#include <cstring>

#include "report/reports.h"
#include "trace/trace_error.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using format::Function;

namespace {

// A bit of everything, small enough to be broken at every byte.
TraceBuilder rich_trace() {
  TraceBuilder b;
  b.add_command({"./app", "--flag"});
  b.define_domain(20, "pool");
  b.define_tag(256, Function::pool_alloc, 20, "arena");
  const uint32_t module = b.add_module("/usr/bin/app", 0x400000, 0x500000, 0x400000, "0123456789abcdef0123");
  const uint32_t outer = b.add_node(format::kRootWhole, module, 0x1150);
  const uint32_t inner = b.add_node(outer, module, 0x1204);
  const uint32_t cut = b.add_node(format::kRootGaveUp, format::kNoModule, 0x7f1234);
  b.unload_module(module, 900);
  b.alloc(1, 10, 0x1000, 24, inner);
  b.alloc(2, 15, 0x3000, 100, outer, Function::operator_new_array);
  b.realloc(1, 20, 25, 0x1000, 0x2000, 48, inner);
  b.free(2, 30, 0x3000);
  b.new_page(1);
  b.alloc_tagged(1, 40, 0x4000, 1, cut, 256);
  b.alloc(1, 50, 0x7f0000000000, 1 << 20, outer, Function::mmap);
  b.free(1, 60, 0x7f0000001000, Function::munmap, 4096, cut);
  b.free(1, 70, 0x2000, Function::free, 0, inner);
  b.pages().back().sealed = false;
  b.close(1000);
  return b;
}

// All reports on a trace; true when it could be opened.
bool survives(const Bytes& bytes, bool* complete = nullptr) {
  try {
    const Trace trace(open_bytes(bytes));
    const Analysis analysis = analyse(trace);
    ReportOptions options;
    options.symbols = false;
    const std::string text = written_by([&](Output& out) {
      report_summary_text(analysis, options, out);
      report_summary_json(analysis, options, out);
      report_leaks(analysis, options, out);
      report_chunks(trace, options, out, nullptr);
      report_dump(trace, {}, out);
      report_dump_stats(trace, options, out);
    });
    if (complete) *complete = trace.file.complete();
    REQUIRE_FALSE(text.empty());
    return true;
  } catch (const TraceError& error) {
    REQUIRE(std::string(error.what()).find("test.trace: at offset ") == 0);
    return false;
  }
}

// Behind the used bytes of a page or of the header, a byte means nothing.
bool has_meaning(TraceBuilder& b, size_t offset) {
  const size_t page = offset / b.header.page_size, within = offset % b.header.page_size;
  if (page == 0) return within < format::kFixedBytes;  // the live part has no checksum
  const PageImage& image = b.pages()[page - 1];
  return image.sealed && within < sizeof(format::PageHeader) + image.payload.size();
}

}  // namespace

TEST_CASE("the trace that the damage tests break is complete", "[reader]") {
  bool complete = false;
  REQUIRE(survives(rich_trace().build(), &complete));
  CHECK(complete);
}

TEST_CASE("a trace cut at any byte is read or refused, and never said to be complete", "[reader]") {
  const Bytes whole = rich_trace().build();
  const size_t page_size = format::kMinPageSize;
  for (size_t length = 0; length < whole.size(); ++length) {
    // Every byte where something lies, and a few of the empty rest of each page.
    if (length % page_size > 700 && length % 257 != 0) continue;
    bool complete = false;
    const bool opened = survives(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)), &complete);
    if (length < sizeof(format::FileHeader)) REQUIRE_FALSE(opened);
    if (length <= page_size * (whole.size() / page_size - 1)) REQUIRE_FALSE(complete);
  }
}

TEST_CASE("a trace with any byte flipped is read or refused, and a checksum notices", "[reader]") {
  TraceBuilder builder = rich_trace();
  const Bytes whole = builder.build();
  for (size_t at = 0; at < whole.size(); ++at) {
    if (at % format::kMinPageSize > 700) continue;
    for (const unsigned mask : {0xffu, 0x01u, 0x80u}) {
      Bytes bytes = whole;
      bytes[at] ^= static_cast<std::byte>(mask);
      bool complete = false;
      const bool opened = survives(bytes, &complete);
      CAPTURE(at, mask);
      if (at < format::kFixedBytes) REQUIRE_FALSE(opened);
      if (!opened || !has_meaning(builder, at)) continue;
      // A sealed page whose state is turned to `open` is read without its checksum: the same bytes, nothing lost.
      const bool is_state = at % format::kMinPageSize == offsetof(format::PageHeader, state);
      if (!is_state) REQUIRE_FALSE(complete);
    }
  }
}

TEST_CASE("a closed trace with a hole in place of any page is not complete", "[reader]") {
  const Bytes whole = rich_trace().build();
  for (size_t at = format::kMinPageSize; at < whole.size(); at += format::kMinPageSize) {
    Bytes bytes = whole;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), format::kMinPageSize, std::byte{0});
    bool complete = true;
    CAPTURE(at);
    if (survives(bytes, &complete)) CHECK_FALSE(complete);
  }
}

TEST_CASE("a damaged page is counted and the others are read", "[reader]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.new_page(1);
  b.alloc(1, 20, 0x2000, 48, s);
  b.close(100);
  Bytes bytes = b.build();
  bytes[format::kMinPageSize * 2 + sizeof(format::PageHeader) + 3] ^= std::byte{0x10};  // page 2: the first of stream 1
  const Analysed a(bytes);
  CHECK(a.trace.file.damage().pages() == 1);
  CHECK(a.heap().open_bytes() == 48);
  CHECK_FALSE(a.trace.file.complete());
  REQUIRE(a.trace.file.damage().warnings().size() == 1);
  CHECK(a.trace.file.damage().warnings()[0] == "page 2 is damaged: its checksum does not match");
}

TEST_CASE("an open page is read up to its used length, and up to a record that does not decode", "[reader]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.raw_event(1, {std::byte{0x01}, std::byte{0x55}});  // 00000001 is malformed
  b.pages().back().sealed = false;
  const Analysed a(b);
  CHECK(a.heap().open_bytes() == 24);
  CHECK(a.trace.file.damage().pages() == 1);
  CHECK_FALSE(a.trace.file.closed_by_library());
}

TEST_CASE("a claimed page that was never written is normal", "[reader]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  Bytes bytes = b.build();
  format::FileHeader head;
  std::memcpy(&head, bytes.data(), sizeof head);
  head.page_count += 5;
  std::memcpy(bytes.data(), &head, sizeof head);
  bytes.resize(bytes.size() + 2 * format::kMinPageSize);  // three of them are not even in the file
  const Analysed a(bytes);
  CHECK(a.heap().open_bytes() == 24);
  CHECK_FALSE(a.trace.file.damage().any());
  CHECK(a.trace.file.unwritten_pages() == 2);
}

TEST_CASE("ids that a file of its size cannot hold cost no memory", "[reader]") {
  TraceBuilder b;
  b.add_node_with_id(0xfffffff0, format::kRootWhole, 0, 0x100);
  b.alloc(1, 10, 0x1000, 24, 0xfffffff0);
  b.alloc(1, 20, 0x2000, 24, 0x80000000);
  b.close(100);
  const Analysed a(b);
  CHECK(a.trace.nodes.id_limit() < 1'000'000);
  CHECK(a.trace.file.damage().pages() == 1);
  CHECK(a.heap().open_bytes() == 48);
  REQUIRE(a.heap().sites.all().size() == 1);  // both are lost stacks
  CHECK(a.trace.nodes.is_truncated(a.heap().sites.all()[0].stack));
}
