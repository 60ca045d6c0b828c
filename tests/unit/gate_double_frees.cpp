// Which of the frees that find no block freed one for the second time.
#include <catch2/catch.hpp>

#include "gate/double_frees.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

constexpr uint64_t kBlock = 0x10000;

std::vector<DoubleFree> double_frees_in(TraceBuilder& b) {
  b.close(100'000);
  const Trace trace(open_bytes(b.build()));
  UnknownFrees unknown;
  analyse(trace, &unknown);
  return find_double_frees(trace, unknown, nullptr);
}

}  // namespace

TEST_CASE("a block that is freed twice is a double free, with who allocated and who freed it", "[gate][double_free]") {
  TraceBuilder b;
  const uint32_t site = b.stack(0x100), first = b.stack(0x200), second = b.stack(0x300);
  b.alloc(1, 100, kBlock, 48, site, format::Function::calloc);
  b.free(1, 200, kBlock, format::Function::free, 0, first);
  b.free(1, 300, kBlock, format::Function::operator_delete, 0, second);
  const std::vector<DoubleFree> found = double_frees_in(b);
  REQUIRE(found.size() == 1);
  CHECK(found[0].alloc_stack == site);
  CHECK(found[0].free_stack == second);
  CHECK(found[0].alloc_tag == static_cast<uint16_t>(format::Function::calloc));
  CHECK(found[0].free_tag == static_cast<uint16_t>(format::Function::operator_delete));
  CHECK(found[0].size == 48);
}

TEST_CASE("freed three times, it is freed twice too often", "[gate][double_free]") {
  TraceBuilder b;
  b.alloc(1, 100, kBlock, 48, b.stack(0x100));
  for (const uint64_t time : {200, 300, 400}) b.free(1, time, kBlock);
  CHECK(double_frees_in(b).size() == 2);
}

TEST_CASE("the block that was there last is the one that was freed again", "[gate][double_free]") {
  TraceBuilder b;
  const uint32_t old_site = b.stack(0x100), new_site = b.stack(0x200), later_site = b.stack(0x300);
  b.alloc(1, 100, kBlock, 11, old_site);
  b.free(1, 200, kBlock);
  b.alloc(1, 300, kBlock, 22, new_site);
  b.free(1, 400, kBlock);
  b.free(1, 500, kBlock);  // of the second one
  b.alloc(1, 600, kBlock, 33, later_site);
  b.free(1, 700, kBlock);
  const std::vector<DoubleFree> found = double_frees_in(b);
  REQUIRE(found.size() == 1);
  CHECK(found[0].alloc_stack == new_site);
  CHECK(found[0].size == 22);
}

TEST_CASE("a block that realloc moved away is freed there for the second time", "[gate][double_free]") {
  TraceBuilder b;
  const uint32_t site = b.stack(0x100);
  b.alloc(1, 100, kBlock, 48, site);
  b.realloc(1, 200, 210, kBlock, kBlock + 0x1000, 96, b.stack(0x200));
  b.free(1, 300, kBlock);
  const std::vector<DoubleFree> found = double_frees_in(b);
  REQUIRE(found.size() == 1);
  CHECK(found[0].alloc_stack == site);
}

TEST_CASE("what was never allocated, of the heap, is not freed twice", "[gate][double_free]") {
  SECTION("an address of nobody's") {
    TraceBuilder b;
    b.alloc(1, 100, kBlock, 48, b.stack(0x100));
    b.free(1, 200, kBlock + 16);
    CHECK(double_frees_in(b).empty());
  }
  SECTION("a block that is freed once") {
    TraceBuilder b;
    b.alloc(1, 100, kBlock, 48, b.stack(0x100));
    b.free(1, 200, kBlock);
    CHECK(double_frees_in(b).empty());
  }
  SECTION("a block of the parent's") {
    TraceBuilder b;
    b.header.flags |= format::kForkChild;
    b.header.fork_ticks = TraceBuilder::kStart;
    b.free(1, 100, kBlock);
    CHECK(double_frees_in(b).empty());
  }
  SECTION("a mapping") {
    TraceBuilder b;
    b.alloc(1, 100, 0x7f0000000000, 4096, b.stack(0x100), format::Function::mmap);
    b.free(1, 200, 0x7f0000000000, format::Function::munmap, 4096);
    b.free(1, 300, 0x7f0000000000, format::Function::munmap, 4096);
    CHECK(double_frees_in(b).empty());
  }
}
