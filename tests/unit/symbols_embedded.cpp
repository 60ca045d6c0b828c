// A trace that carries its symbols reads the same where nothing else is.
#include <catch2/catch.hpp>

#include <filesystem>

#include <unistd.h>

#include "every_report.h"
#include "report/numbers.h"
#include "report/symbolized_trace.h"
#include "symbols_data/fixture.h"
#include "trace/new_trace_file.h"

using namespace memprof;
using namespace memprof::test;
using symbols_test::kBias;
using symbols_test::kSample;
using symbols_test::TemporaryDirectory;
using symbols_test::write_bytes;
namespace fs = std::filesystem;

namespace {

// A trace with a stack in a copy of the sample, one in code that a JIT map names, and one in a file that is not there.
class Scene {
 public:
  Scene() {
    fs::copy_file(kSample, binary());
    // The map of this process: no other program can have left one.
    write_bytes(map(), "1000 100 jit:one\n2000 100 " + std::string(4000, 'n') + "\n");
    builder_.header.pid = static_cast<uint32_t>(::getpid());
    builder_.header.start_realtime_ns = 0;
    const std::string id = symbols_test::text_of(symbols_test::build_id_of(kSample));
    const uint32_t module = builder_.add_module(binary(), kBias, kBias + 0x100000, kBias, id);
    const uint32_t missing = builder_.add_module("/no/such/lib.so", 0x400000, 0x500000, 0x400000, "0123456789");
    const uint64_t outer = symbols_test::symbol_address(kSample, "_ZN6sample5outerERKNS_5ShapeEi");
    uint32_t node = builder_.add_node(format::kRootWhole, missing, 0x1150);
    for (uint64_t i = 0; i < 60; ++i) {
      node = builder_.add_node(node, module, outer + i, i % 5 == 0);
      builder_.alloc(1, 10 + i, 0x10000 + 64 * i, 24, node);
    }
    for (const uint64_t address : {0x1010, 0x2010, 0x9999})
      builder_.alloc(1, 100, 0x90000 + address, 24, builder_.add_node(node, format::kNoModule, address));
    builder_.alloc(1, 101, 0xa0000, 24, builder_.add_node(node, 77, 0x10));  // no record tells of module 77
  }
  ~Scene() { fs::remove(map()); }

  TraceBuilder& builder() { return builder_; }
  std::string binary() const { return files_ / "sample.so"; }
  std::string at(const char* name) const { return files_ / name; }
  void remove_files() const {
    fs::remove(binary());
    fs::remove(map());
  }
  SymbolizedTrace symbolize(const Bytes& bytes, const char* name) const {
    const memprof::Trace trace(open_bytes(bytes));
    return write_symbolized_trace(trace, at(name), {});
  }

 private:
  static std::string map() { return fmt::format("/tmp/perf-{}.map", ::getpid()); }

  TemporaryDirectory files_;
  TraceBuilder builder_;
};

Bytes bytes_of(const std::string& path) {
  const std::string text = symbols_test::read_bytes(path);
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(bytes, bytes + text.size());
}

// All that is printed, but for the file itself: its size.
std::string printed(const Bytes& bytes) {
  memprof::Trace trace(open_bytes(bytes));
  ReportOptions options;
  const std::string text = written_by([&](Output& out) {
    const Analysis analysis = analyse(trace);
    for (options.json = false;; options.json = true) {
      options.json ? report_summary_json(analysis, options, out) : report_summary_text(analysis, options, out);
      report_stacks(analysis, options, out);
      report_leaks(analysis, options, out);
      report_tree(trace, options, out, nullptr);
      report_chunks(trace, options, out, nullptr);
      options.group = GroupBy::file;
      report_sizes(trace, options, out, nullptr);
      options.group = GroupBy::stack;
      if (options.json) break;
    }
    report_diff(trace, trace, options, out, nullptr);
  });
  const uint64_t size = trace.file.size_bytes();
  return symbols_test::replaced(symbols_test::replaced(text, ", " + format_bytes(size) + "\n", ", SIZE\n"),
                                fmt::format("\"bytes\": {},", size), "\"bytes\": SIZE,");
}

}  // namespace

TEST_CASE("with its files gone, a symbolized trace is printed as before", "[symbols][embedded]") {
  Scene scene;
  scene.builder().close(1000);
  const Bytes original = scene.builder().build();
  const std::string expected = printed(original);
  for (const char* name : {"sample.cpp", "sample::outer(", "jit:one", "nnnn", "lib.so: /no/such/lib.so: No such file"})
    REQUIRE(expected.find(name) != std::string::npos);

  const SymbolizedTrace made = scene.symbolize(original, "out");
  CHECK(made.addresses == 64);
  CHECK(made.modules == 3);
  CHECK(made.problems.size() == 1);
  scene.remove_files();
  CHECK(printed(original) != expected);
  const Bytes symbolized = bytes_of(scene.at("out"));
  CHECK(printed(symbolized) == expected);
  const TraceFile file = open_bytes(symbolized);
  CHECK(file.complete());
  CHECK(file.streams(format::StreamKind::symbols).size() == 1);
  CHECK(file.streams(format::StreamKind::symbols)[0].size() > 2);  // a name too long for a page was carried on

  // The pages of the trace itself are as they were.
  for (uint64_t at = format::kMinPageSize; at < original.size(); ++at) REQUIRE(symbolized[at] == original[at]);
}

TEST_CASE("a trace is symbolized once, and told again nothing is added", "[symbols][embedded]") {
  Scene scene;
  scene.builder().close(1000);
  scene.symbolize(scene.builder().build(), "once");
  const Bytes once = bytes_of(scene.at("once"));
  scene.remove_files();
  const SymbolizedTrace again = scene.symbolize(once, "twice");
  CHECK(again.addresses == 0);
  CHECK(again.modules == 0);
  CHECK(printed(bytes_of(scene.at("twice"))) == printed(once));
}

TEST_CASE("what the first time did not find is not hidden from files that are there", "[symbols][embedded]") {
  Scene scene;
  scene.builder().close(1000);
  const Bytes original = scene.builder().build();
  // Of a trace whose symbols pages are lost, each of them.
  scene.symbolize(original, "out");
  Bytes damaged = bytes_of(scene.at("out"));
  for (size_t at = original.size() + sizeof(format::PageHeader); at < damaged.size(); at += format::kMinPageSize)
    damaged[at] ^= std::byte{1};
  memprof::Trace trace(open_bytes(damaged));
  FrameSource source(trace, {});
  CHECK(source.frames(format::kFirstNode + 1, 1).back().function.starts_with("sample::outer("));
  CHECK(trace.file.damage().pages() > 2);
}

TEST_CASE("a trace that is not whole stays so", "[symbols][embedded]") {
  Scene scene;
  SECTION("running") {
    scene.builder().pages().back().sealed = false;
    scene.symbolize(scene.builder().build(), "out");
    const memprof::Trace trace(TraceFile::open(scene.at("out")));
    CHECK_FALSE(trace.file.closed_by_library());
    CHECK_FALSE(trace.file.damage().any());
    CHECK(analyse(trace).heap()->allocations == 64);
  }
  SECTION("damaged, cut and with a hole") {
    scene.builder().close(1000);
    Bytes bytes = scene.builder().build();
    const size_t pages = bytes.size() / format::kMinPageSize;
    REQUIRE(pages > 3);
    bytes[format::kMinPageSize + 2] ^= std::byte{1};                                           // not a page any more
    std::fill_n(bytes.begin() + 2 * format::kMinPageSize, format::kMinPageSize, std::byte{});  // never written
    bytes.resize(bytes.size() - format::kMinPageSize);
    memprof::Trace before(open_bytes(bytes));
    write_symbolized_trace(before, scene.at("out"), {});
    const memprof::Trace after(TraceFile::open(scene.at("out")));
    CHECK(before.file.damage().missing_pages() == 1);
    CHECK(after.file.damage().warnings() == before.file.damage().warnings());
    CHECK(after.file.unwritten_pages() == before.file.unwritten_pages());
  }
  SECTION("cut within an open page of events") {
    for (PageImage& page : scene.builder().pages()) page.sealed = false;
    TraceBuilder& b = scene.builder();
    std::rotate(b.pages().begin(), b.pages().end() - 1, b.pages().end());
    while (b.pages().back().head.kind != format::StreamKind::events)
      std::rotate(b.pages().begin(), b.pages().end() - 1, b.pages().end());
    Bytes bytes = b.build();
    const size_t used = b.pages().back().payload.size();
    bytes.resize(bytes.size() - format::kMinPageSize + sizeof(format::PageHeader) + used - 5);
    const memprof::Trace before(open_bytes(bytes));
    const uint64_t events = analyse(before).pairing.event_count();
    CHECK(before.file.damage().any());
    write_symbolized_trace(before, scene.at("out"), {});
    const memprof::Trace after(TraceFile::open(scene.at("out")));
    CHECK(analyse(after).pairing.event_count() == events);
    CHECK(after.file.damage().any());
  }
}

TEST_CASE("symbols that nobody vouches for are read or refused", "[symbols][embedded]") {
  Scene scene;
  scene.builder().close(1000);
  const Bytes original = scene.builder().build();
  scene.symbolize(original, "out");
  Bytes symbolized = bytes_of(scene.at("out"));
  // Open pages have no checksum: each changed byte reaches the reader of the records.
  for (size_t page = original.size(); page < symbolized.size(); page += format::kMinPageSize)
    symbolized[page + offsetof(format::PageHeader, state)] = static_cast<std::byte>(format::PageState::open);
  size_t damaged = 0;
  for (size_t at = original.size(); at < symbolized.size(); at += at % 4096 < 700 ? 1 : 97) {
    Bytes bytes = symbolized;
    bytes[at] ^= static_cast<std::byte>(1 << at % 8);
    const memprof::Trace trace(open_bytes(bytes));
    FrameSource source(trace, {});
    for (StackId id = format::kFirstNode; id < trace.nodes.id_limit(); ++id)
      REQUIRE_FALSE(source.frames(id, 1).empty());
    source.symbol_problems();
    damaged += trace.file.damage().any();
  }
  CHECK(damaged > 100);
}
