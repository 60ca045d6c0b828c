#include <catch2/catch.hpp>

#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using format::Function;

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kBase = 0x7f0000000000;

struct MapBuilder : TraceBuilder {
  uint32_t s = stack(0x100);
  uint64_t time = 0;
  void map(uint64_t page, uint64_t bytes) { alloc(1, time += 10, kBase + page * kPage, bytes, s, Function::mmap); }
  void unmap(uint64_t page, uint64_t bytes) { free(1, time += 10, kBase + page * kPage, Function::munmap, bytes); }
  void remap(uint64_t old_page, uint64_t new_page, uint64_t bytes) {
    time += 10;
    realloc(1, time, time + 1, kBase + old_page * kPage, kBase + new_page * kPage, bytes, s, Function::mremap);
    ++time;
  }
  Analysed analysed() {
    close(time + 100);
    return Analysed(*this);
  }
};

}  // namespace

TEST_CASE("a region is closed when its last byte is unmapped", "[pairing]") {
  MapBuilder b;
  b.map(0, 4 * kPage);
  b.unmap(1, 2 * kPage);  // the middle
  SECTION("and open before that") {
    const Analysed a = b.analysed();
    CHECK(a.domain("mmap")->open_chunks() == 1);
    CHECK(a.domain("mmap")->open_bytes() == 2 * kPage);
    CHECK(a.domain("mmap")->closed_bytes() == 2 * kPage);
    CHECK(a.domain("mmap")->frees() == 0);
  }
  SECTION("whatever the order of its parts") {
    b.unmap(3, kPage);
    b.unmap(0, kPage);
    const Analysed a = b.analysed();
    CHECK(a.domain("mmap")->open_chunks() == 0);
    CHECK(a.domain("mmap")->open_bytes() == 0);
    CHECK(a.domain("mmap")->closed_chunks() == 1);
    CHECK(a.domain("mmap")->frees() == 1);
    CHECK(a.domain("mmap")->orphans() == 0);
  }
  SECTION("also by one call over everything around it") {
    b.unmap(0, 16 * kPage);
    const Analysed a = b.analysed();
    CHECK(a.domain("mmap")->open_chunks() == 0);
    CHECK(a.domain("mmap")->closed_bytes() == 4 * kPage);
  }
}

TEST_CASE("one munmap closes all regions in its range", "[pairing]") {
  MapBuilder b;
  b.map(0, kPage);
  b.map(1, kPage);
  b.map(3, kPage);
  b.unmap(0, 4 * kPage);
  const Analysed a = b.analysed();
  CHECK(a.domain("mmap")->closed_chunks() == 3);
  CHECK(a.domain("mmap")->open_bytes() == 0);
}

TEST_CASE("a mapping put over another one takes its bytes", "[pairing]") {
  MapBuilder b;
  b.map(0, 4 * kPage);
  b.map(2, kPage);  // MAP_FIXED
  const Analysed a = b.analysed();
  CHECK(a.domain("mmap")->open_chunks() == 2);
  CHECK(a.domain("mmap")->open_bytes() == 4 * kPage);
  CHECK(a.domain("mmap")->double_allocations == 0);
}

TEST_CASE("the size asked for counts, though whole pages are mapped", "[pairing]") {
  MapBuilder b;
  b.map(0, kPage + 100);
  b.unmap(1, 1);  // the second page, of which 100 bytes were asked for
  const Analysed a = b.analysed();
  CHECK(a.domain("mmap")->bytes_allocated == kPage + 100);
  CHECK(a.domain("mmap")->open_bytes() == kPage);
}

TEST_CASE("mremap closes the old region and opens the new one", "[pairing]") {
  MapBuilder b;
  b.map(0, kPage);
  b.remap(0, 8, 4 * kPage);
  const Analysed a = b.analysed();
  CHECK(a.domain("mmap")->closed_chunks() == 1);
  CHECK(a.domain("mmap")->open_chunks() == 1);
  CHECK(a.domain("mmap")->open_bytes() == 4 * kPage);
  CHECK(a.domain("mmap")->temporary == 1);
}

TEST_CASE("a munmap where nothing is mapped is an orphan", "[pairing]") {
  MapBuilder b;
  b.map(0, kPage);
  b.unmap(7, kPage);
  const Analysed a = b.analysed();
  CHECK(a.domain("mmap")->orphans() == 1);
  CHECK(a.domain("mmap")->open_chunks() == 1);
}

TEST_CASE("ranges at the end of the address space do not wrap", "[pairing]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  const uint64_t top = UINT64_MAX - 100;
  b.alloc(1, 10, top, uint64_t{1} << 50, s, Function::mmap);
  b.alloc(1, 20, UINT64_MAX, 4096, s, Function::mmap);
  b.free(1, 30, UINT64_MAX, Function::munmap, 4096);
  b.free(1, 40, top, Function::munmap, (uint64_t{1} << 55));
  b.free(1, 50, 0, Function::munmap, (uint64_t{1} << 55));
  b.close(100);
  const Analysed a(b);
  CHECK(a.domain("mmap")->allocations == 2);
}
