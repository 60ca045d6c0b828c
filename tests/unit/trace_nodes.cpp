#include <catch2/catch.hpp>

#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

TEST_CASE("equal nodes of two threads are one stack", "[trace]") {
  TraceBuilder b;
  const uint32_t outer1 = b.add_node(format::kRootWhole, 3, 0x1150);
  const uint32_t outer2 = b.add_node(format::kRootWhole, 3, 0x1150);
  const uint32_t inner1 = b.add_node(outer1, 3, 0x1204);
  const uint32_t inner2 = b.add_node(outer2, 3, 0x1204);
  const uint32_t exact = b.add_node(outer2, 3, 0x1204, true);
  const uint32_t elsewhere = b.add_node(outer2, 4, 0x1204);
  b.alloc(1, 10, 0x1000, 24, inner1);
  b.alloc(1, 20, 0x2000, 24, inner2);
  b.close(100);
  const Analysed a(b);
  const StackNodes& nodes = a.trace.nodes;
  CHECK(nodes.canonical(outer2) == outer1);
  CHECK(nodes.canonical(inner2) == inner1);
  CHECK(nodes.canonical(exact) == exact);
  CHECK(nodes.canonical(elsewhere) == elsewhere);
  CHECK(nodes.node_count() == 6);
  REQUIRE(a.heap().sites.all().size() == 1);
  CHECK(a.heap().sites.all()[0].allocations == 2);
}

TEST_CASE("frames of the recorder are none, wherever they stand", "[trace]") {
  TraceBuilder b;
  const uint32_t own = b.add_module("/opt/recorder.so", 0x1000, 0x2000, 0);
  b.name_recorder(own);
  const uint32_t outer = b.add_node(format::kRootWhole, 7, 1);
  const uint32_t hook = b.add_node(outer, own, 2);
  const uint32_t inner = b.add_node(b.add_node(hook, own, 3), 7, 4);
  const uint32_t direct = b.add_node(outer, 7, 4);
  const uint32_t outermost = b.add_node(b.add_node(format::kRootGaveUp, own, 5), 7, 6);
  const Trace trace(open_bytes(b.build()));
  const StackNodes& nodes = trace.nodes;
  CHECK(nodes.frames(inner, 10) == std::vector<StackId>{inner, outer});
  CHECK(nodes.canonical(direct) == inner);
  CHECK(nodes.canonical(hook) == outer);
  CHECK_FALSE(nodes.is_truncated(inner));
  CHECK(nodes.frames(outermost, 10) == std::vector<StackId>{outermost});
  CHECK(nodes.root(outermost) == StackRoot::gave_up);
}

TEST_CASE("frames come innermost first and stop at the limit", "[trace]") {
  TraceBuilder b;
  const uint32_t outer = b.add_node(format::kRootWhole, 0, 1);
  const uint32_t middle = b.add_node(outer, 0, 2);
  const uint32_t inner = b.add_node(middle, 0, 3);
  const Trace trace(open_bytes(b.build()));
  bool more = false;
  CHECK(trace.nodes.frames(inner, 10, &more) == std::vector<StackId>{inner, middle, outer});
  CHECK_FALSE(more);
  CHECK(trace.nodes.frames(inner, 2, &more) == std::vector<StackId>{inner, middle});
  CHECK(more);
  CHECK(trace.nodes.frames(format::kNoStack, 2).empty());
}

TEST_CASE("a stack is truncated unless it ends where a stack ends", "[trace]") {
  TraceBuilder b;
  const uint32_t whole = b.add_node(format::kRootWhole, 0, 1);
  const uint32_t limit = b.add_node(b.add_node(format::kRootDepthLimit, 0, 2), 0, 3);
  const uint32_t gave_up = b.add_node(format::kRootGaveUp, 0, 4);
  const Trace trace(open_bytes(b.build()));
  CHECK_FALSE(trace.nodes.is_truncated(whole));
  CHECK(trace.nodes.is_truncated(limit));
  CHECK(trace.nodes.root(limit) == StackRoot::depth_limit);
  CHECK(trace.nodes.is_truncated(gave_up));
  CHECK(trace.nodes.is_truncated(12345));  // the trace does not have it
  CHECK_FALSE(trace.nodes.is_truncated(format::kNoStack));
  CHECK(trace.nodes.is_truncated(format::kRootGaveUp));  // a stack without any frame
  CHECK_FALSE(trace.nodes.is_truncated(format::kRootWhole));
}

TEST_CASE("a node whose parent is gone is kept, its stack is truncated", "[trace]") {
  TraceBuilder b;
  b.add_node_with_id(30, 20, 0, 0x100);
  b.alloc(1, 10, 0x1000, 8, 30);
  b.close(20);
  const Analysed a(b);
  CHECK(a.trace.nodes.is_truncated(30));
  CHECK(a.trace.nodes.root(30) == StackRoot::lost);
  CHECK(a.trace.nodes.frames(30, 10) == std::vector<StackId>{30});
}

TEST_CASE("metadata and modules read back as written", "[trace]") {
  TraceBuilder b;
  b.add_command({"./app", "", "a b"});
  b.add_metadata(format::MetadataRecord::setting, "MEMPROF_MAX_DEPTH=64");
  b.add_metadata(static_cast<format::MetadataRecord>(999), "of a later library");
  b.add_metadata(format::MetadataRecord::directory, "/tmp");
  const uint32_t module = b.add_module("/lib/libx.so", 0x1000, 0x2000, 0x1000, "abcd");
  b.unload_module(module, 5);
  const Trace trace(open_bytes(b.build()));
  CHECK(trace.metadata.command == std::vector<std::string>{"./app", "", "a b"});
  CHECK(trace.metadata.settings == std::vector<std::string>{"MEMPROF_MAX_DEPTH=64"});
  CHECK(trace.metadata.directory == "/tmp");
  REQUIRE(trace.modules.all().size() == 1);
  CHECK(trace.modules.all()[0].path == "/lib/libx.so");
  CHECK(trace.modules.all()[0].build_id.size() == 4);
  CHECK(trace.modules.all()[0].unload_ticks == TraceBuilder::kStart + 5);
  CHECK(trace.modules.index_of(module) == 0);
  CHECK(trace.modules.index_of(77) == Modules::kNone);
  CHECK_FALSE(trace.file.damage().any());
}
