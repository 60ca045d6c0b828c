// What is a root and what is none: the rules at the top of reach/roots.h, each with a word that alone leads to a block.
#include <catch2/catch.hpp>
#include <functional>

#include "classified.h"
#include "snapshot_builder.h"

using namespace memprof;
using namespace memprof::test;
using Kind = format::SnapshotRangeKind;

namespace {

constexpr uint64_t kHeldBlock = MemoryBuilder::kHeap + 0x1000;
constexpr uint64_t kPlace = 0x7000'0000, kPlaceEnd = 0x7001'0000;

// The reach of a block of 64 bytes to which only the word at `place` points. `prepare` comes before the snapshot,
// `describe` writes its threads and the range that the word is in.
struct Held {
  std::function<void(MemoryBuilder&)> prepare = [](MemoryBuilder&) {};
  uint32_t threads = 0;
  std::function<void(MemoryBuilder&)> describe;

  std::string by(uint64_t place, uint64_t value = kHeldBlock) const {
    MemoryBuilder b;
    b.block(kHeldBlock, 64);
    prepare(b);
    b.begin_snapshot(threads);
    describe(b);
    b.snapshot.word(place, value);
    b.end_snapshot();
    const Classified found(b);
    REQUIRE(found.classes->problem() == "");
    return found.reach_at(kHeldBlock);
  }
};

std::function<void(MemoryBuilder&)> range_of(Kind kind, uint32_t flags = 0) {
  return [=](MemoryBuilder& b) { b.snapshot.range(kind, kPlace, kPlaceEnd, flags); };
}

void map_by(MemoryBuilder& b, uint64_t address, uint64_t size, uint32_t stack) {
  b.alloc(1, b.time += 10, address, size, stack, format::Function::mmap);
}

}  // namespace

TEST_CASE("data of modules and shared memory are roots, the program break is none", "[reach][roots]") {
  CHECK(Held{.describe = range_of(Kind::file)}.by(kPlace) == "reachable");
  CHECK(Held{.describe = range_of(Kind::file)}.by(kPlaceEnd - 8) == "reachable");
  CHECK(Held{.describe = range_of(Kind::shared)}.by(kPlace + 80) == "reachable");
  CHECK(Held{.describe = range_of(Kind::program_break)}.by(kPlace + 80) == "definite");
}

TEST_CASE("shared memory that held blocks is an allocator's", "[reach][roots]") {
  const Held held{.prepare =
                      [](MemoryBuilder& b) {
                        b.block(kPlace + 0x2000, 16);
                        b.free(1, b.time += 10, kPlace + 0x2000);
                      },
                  .describe = range_of(Kind::shared)};
  CHECK(held.by(kPlace + 80) == "definite");
}

TEST_CASE("a stack is a root from the stack pointer up", "[reach][roots]") {
  const Kind kind = GENERATE(Kind::main_stack, Kind::anonymous);
  const Held held{.threads = 1, .describe = [&](MemoryBuilder& b) {
                    b.snapshot.thread(kPlace + 0x804, 0);
                    b.snapshot.range(kind, kPlace, kPlaceEnd, format::kRangeAboveGuard);
                  }};
  CHECK(held.by(kPlace + 0x7f8) == "definite");
  CHECK(held.by(kPlace + 0x800) == "reachable");  // the word that the pointer is in
  CHECK(held.by(kPlaceEnd - 8) == "reachable");
}

TEST_CASE("of two threads in one stack the lower pointer counts", "[reach][roots]") {
  const Held held{.threads = 2, .describe = [](MemoryBuilder& b) {
                    b.snapshot.thread(kPlace + 0x800, 0);
                    b.snapshot.thread(kPlace + 0x400, 0);
                    b.snapshot.range(Kind::anonymous, kPlace, kPlaceEnd);
                  }};
  CHECK(held.by(kPlace + 0x3f8) == "definite");
  CHECK(held.by(kPlace + 0x400) == "reachable");
}

TEST_CASE("a stack is a root as a whole while its thread runs on another one", "[reach][roots]") {
  const Held main{.threads = 1, .describe = [](MemoryBuilder& b) {
                    b.snapshot.thread(0x1234'0000, 0);
                    b.snapshot.range(Kind::main_stack, kPlace, kPlaceEnd);
                  }};
  CHECK(main.by(kPlace) == "reachable");
  const Held of_thread{.threads = 1, .describe = [](MemoryBuilder& b) {
                         b.snapshot.thread(0x1234'0000, kPlaceEnd - 0x100);
                         b.snapshot.range(Kind::anonymous, kPlace, kPlaceEnd, format::kRangeAboveGuard);
                       }};
  CHECK(of_thread.by(kPlace) == "reachable");
}

TEST_CASE("registers are roots", "[reach][roots]") {
  const uint64_t value = GENERATE(kHeldBlock, kHeldBlock + 9, kHeldBlock + 64);
  const Held held{.threads = 1, .describe = [&](MemoryBuilder& b) {
                    b.snapshot.thread(0, 0, {1, value});
                    b.snapshot.range(Kind::program_break, kPlace, kPlaceEnd);
                  }};
  CHECK(held.by(kPlace) == (value == kHeldBlock ? "reachable" : value == kHeldBlock + 9 ? "possible" : "definite"));
}

TEST_CASE("what the program mapped is a root unless it is an allocator's", "[reach][roots]") {
  Held held{.describe = range_of(Kind::anonymous)};
  const uint64_t first_page = kPlace, second_page = kPlace + 0x4000;
  SECTION("plainly") {
    held.prepare = [&](MemoryBuilder& b) { map_by(b, first_page, kPlaceEnd - kPlace, b.site); };
    CHECK(held.by(kPlace + 80) == "reachable");
  }
  SECTION("a mapping that ever held blocks is not") {
    held.prepare = [&](MemoryBuilder& b) {
      map_by(b, first_page, 0x2000, b.site);
      map_by(b, second_page, 0x2000, b.site);
      b.block(first_page + 0x1100, 32);
      b.free(1, b.time += 10, first_page + 0x1100);
    };
    CHECK(held.by(first_page + 80) == "definite");
    CHECK(held.by(second_page + 80) == "reachable");
  }
  SECTION("blocks that were there before it was mapped say nothing") {
    held.prepare = [&](MemoryBuilder& b) {
      b.block(first_page + 0x1100, 32);
      b.free(1, b.time += 10, first_page + 0x1100);
      map_by(b, first_page, 0x2000, b.site);
    };
    CHECK(held.by(first_page + 80) == "reachable");
  }
  SECTION("the module that maps memory for blocks is an allocator, whatever else it maps") {
    held.prepare = [&](MemoryBuilder& b) {
      b.add_metadata(format::MetadataRecord::executable, "/bin/app");
      const uint32_t allocator = b.add_module("/lib/libjemalloc.so.2", 0x1'0000, 0x2'0000, 0x1'0000);
      const uint32_t other = b.add_module("/lib/libother.so", 0x3'0000, 0x4'0000, 0x3'0000);
      map_by(b, first_page, 0x1000, b.add_node(format::kRootWhole, allocator, 0x10));
      map_by(b, second_page, 0x1000, b.add_node(format::kRootWhole, allocator, 0x20));
      map_by(b, second_page + 0x2000, 0x1000, b.add_node(format::kRootWhole, other, 0x20));
      b.block(first_page + 0x100, 32);
    };
    CHECK(held.by(second_page + 80) == "definite");
    CHECK(held.by(second_page + 0x2000 + 80) == "reachable");
  }
  SECTION("but the program itself is none") {
    held.prepare = [&](MemoryBuilder& b) {
      b.add_metadata(format::MetadataRecord::executable, "/bin/app");
      const uint32_t program = b.add_module("/bin/app", 0x1'0000, 0x2'0000, 0x1'0000);
      map_by(b, first_page, 0x1000, b.add_node(format::kRootWhole, program, 0x10));
      map_by(b, second_page, 0x1000, b.add_node(format::kRootWhole, program, 0x20));
      b.block(first_page + 0x100, 32);
    };
    CHECK(held.by(second_page + 80) == "reachable");
    CHECK(held.by(first_page + 80) == "definite");
  }
}

TEST_CASE("memory that nobody is known to have mapped is a root unless blocks or an ended thread were there",
          "[reach][roots]") {
  CHECK(Held{.describe = range_of(Kind::anonymous)}.by(kPlace + 80) == "reachable");
  CHECK(Held{.describe = range_of(Kind::anonymous, format::kRangeAboveGuard)}.by(kPlace + 80) == "definite");
  const Held with_block{.prepare = [](MemoryBuilder& b) { b.block(kPlace + 0x3000, 32); },
                        .describe = range_of(Kind::anonymous)};
  CHECK(with_block.by(kPlace + 80) == "definite");
  // What lies before and behind a mapping is looked at for itself.
  const Held around{.prepare =
                        [](MemoryBuilder& b) {
                          map_by(b, kPlace + 0x4000, 0x1000, b.site);
                          b.block(kPlace + 0x6000, 32);
                        },
                    .describe = range_of(Kind::anonymous, format::kRangeAboveGuard)};
  CHECK(around.by(kPlace + 80) == "definite");           // above the guard
  CHECK(around.by(kPlace + 0x4000) == "reachable");      // the mapping
  CHECK(around.by(kPlace + 0x5000 + 80) == "definite");  // where the block is
}

TEST_CASE("what lies in a block is the block's, but for the stack of a thread that runs in it", "[reach][roots]") {
  static constexpr uint64_t kFiber = MemoryBuilder::kHeap + 0x10000;
  const Held held{.prepare = [](MemoryBuilder& b) { b.block(kFiber, 0x1000); },
                  .threads = 1,
                  .describe =
                      [](MemoryBuilder& b) {
                        b.snapshot.thread(kFiber + 0x800, 0);
                        b.snapshot.range(Kind::program_break, MemoryBuilder::kHeap, MemoryBuilder::kHeapEnd);
                      }};
  CHECK(held.by(kFiber + 0x7f8) == "indirect");  // the block is lost, and what it alone holds with it
  CHECK(held.by(kFiber + 0x800) == "reachable");
  CHECK(held.by(kFiber + 0xff8) == "reachable");
  CHECK(held.by(kFiber + 0x1000) == "definite");
}

TEST_CASE("a word that a block has only a part of is not the block's", "[reach][roots]") {
  static constexpr uint64_t kOwner = MemoryBuilder::kHeap + 0x10000;
  const auto held_by_last_word = [&](uint64_t owner_bytes) {
    return Held{.prepare = [=](MemoryBuilder& b) { b.block(kOwner, owner_bytes); },
                .describe =
                    [](MemoryBuilder& b) {
                      b.snapshot.range(Kind::file, kPlace, kPlaceEnd);
                      b.snapshot.word(kPlace, kOwner);
                      b.snapshot.range(Kind::program_break, MemoryBuilder::kHeap, MemoryBuilder::kHeapEnd);
                    }}
        .by(kOwner + 16);
  };
  CHECK(held_by_last_word(24) == "reachable");
  CHECK(held_by_last_word(23) == "definite");
}

TEST_CASE("what the C library's allocator keeps of the memory behind a block leads nowhere", "[reach][roots]") {
  // A chunk that begins 16 bytes before it holds a block of 72 bytes up to the next chunk's first 8.
  constexpr uint64_t kChunk = MemoryBuilder::kHeap + 0x2010;
  const auto reach_by = [&](const char* library, uint64_t value, bool is_unloaded = false) {
    MemoryBuilder b;
    const uint32_t module = b.add_module(library, kPlace, kPlaceEnd, kPlace);
    if (is_unloaded) b.unload_module(module, 5);
    b.block(kChunk, 72);
    b.begin_snapshot();
    b.snapshot.range(Kind::file, kPlace, kPlaceEnd);
    b.snapshot.word(kPlace + 8, value);
    b.end_snapshot();
    return Classified(b).reach_at(kChunk);
  };
  CHECK(reach_by("/lib/libc.so.6", kChunk + 64) == "definite");
  CHECK(reach_by("/lib/libc-2.31.so", kChunk + 64) == "definite");
  CHECK(reach_by("/lib/libc.so.6", kChunk + 64, true) == "possible");  // another one has its place by now
  CHECK(reach_by("/lib/libcrypto.so.3", kChunk + 64) == "possible");
  CHECK(reach_by("/lib/libc.so.6", kChunk + 48) == "possible");
  CHECK(reach_by("/lib/libc.so.6", kChunk + 65) == "possible");
  CHECK(reach_by("/lib/libc.so.6", kChunk) == "reachable");
}

TEST_CASE("ranges that overlap, or are none, do not count", "[reach][roots]") {
  MemoryBuilder b;
  b.block(kHeldBlock, 64);
  b.begin_snapshot();
  b.snapshot.range(Kind::program_break, kPlace, kPlaceEnd);
  b.snapshot.range(Kind::file, kPlace + 0x1000, kPlaceEnd + 0x1000);
  b.snapshot.word(kPlace + 0x1000, kHeldBlock);
  b.snapshot.range(Kind::file, kPlaceEnd + 0x2000, kPlaceEnd + 0x2000);
  b.end_snapshot();
  const Classified found(b);
  CHECK(found.classes->graph().image().ranges.size() == 1);
  CHECK(found.reach_at(kHeldBlock) == "definite");
}

namespace {

// The reach of a block of `size` bytes to whose middle, `offset`, one root points.
std::string reach_by_middle(uint64_t size, uint64_t offset,
                            const std::function<void(SnapshotBuilder&, uint64_t)>& describe) {
  constexpr uint64_t kPointedAt = MemoryBuilder::kHeap + 0x3010;
  MemoryBuilder b;
  b.block(kPointedAt, size);
  b.begin_snapshot();
  b.snapshot.range(Kind::file, kPlace, kPlaceEnd);
  b.snapshot.word(kPlace, kPointedAt + offset);
  b.snapshot.range(Kind::program_break, MemoryBuilder::kHeap, MemoryBuilder::kHeapEnd);
  describe(b.snapshot, kPointedAt);
  b.end_snapshot();
  return Classified(b).reach_at(kPointedAt);
}

}  // namespace

TEST_CASE("a pointer to the characters of a string of old is a plain one", "[reach][heuristics]") {
  const auto string = [](uint64_t size, uint64_t offset, uint64_t length, uint64_t capacity) {
    return reach_by_middle(size, offset, [&](SnapshotBuilder& s, uint64_t block) {
      s.length(block, length);
      s.length(block + 8, capacity);
    });
  };
  CHECK(string(24 + 40 + 1, 24, 30, 40) == "reachable");
  CHECK(string(24 + 40 + 1, 24, 40, 40) == "reachable");
  CHECK(string(24 + 40 + 1, 24, 41, 40) == "possible");
  CHECK(string(24 + 40 + 2, 24, 30, 40) == "possible");
  CHECK(string(24 + 40, 24, 30, 40) == "possible");
  CHECK(string(24 + 40 + 1, 32, 30, 40) == "possible");
  // One of the two is not known.
  CHECK(reach_by_middle(24 + 40 + 1, 24, [](SnapshotBuilder& s, uint64_t block) { s.length(block + 8, 40); }) ==
        "possible");
  CHECK(reach_by_middle(24 + 40 + 1, 24, [](SnapshotBuilder& s, uint64_t block) { s.length(block, 30); }) ==
        "possible");
}

TEST_CASE("a pointer behind a length by which the rest can be divided is a plain one", "[reach][heuristics]") {
  const auto array = [](uint64_t size, uint64_t offset, uint64_t elements) {
    return reach_by_middle(size, offset, [&](SnapshotBuilder& s, uint64_t block) { s.length(block, elements); });
  };
  CHECK(array(8 + 5 * 16, 8, 5) == "reachable");
  CHECK(array(8 + 200, 8, 200) == "reachable");  // a length of 64 bits
  CHECK(array(8 + 5 * 16 + 1, 8, 5) == "possible");
  CHECK(array(8 + 5 * 16, 16, 5) == "possible");
  CHECK(array(8 + 5 * 16, 8, 0) == "possible");
  CHECK(reach_by_middle(8 + 5 * 16, 8, [](SnapshotBuilder&, uint64_t) {}) == "possible");
}

TEST_CASE("a pointer to a second base with a table of functions is a plain one", "[reach][heuristics]") {
  const auto object = [](uint64_t offset, std::initializer_list<uint64_t> tables) {
    return reach_by_middle(64, offset, [&](SnapshotBuilder& s, uint64_t block) {
      for (const uint64_t at : tables) s.vtable(block + at);
    });
  };
  CHECK(object(16, {0, 16}) == "reachable");
  CHECK(object(24, {0, 16, 24}) == "reachable");
  CHECK(object(16, {0}) == "possible");
  CHECK(object(16, {16}) == "possible");
  CHECK(object(24, {0, 16}) == "possible");
  CHECK(object(17, {0, 16}) == "possible");
}

TEST_CASE("what an explained pointer leads to is reachable, what one by chance leads to is not",
          "[reach][heuristics]") {
  constexpr uint64_t kPointedAt = MemoryBuilder::kHeap + 0x3010, kChild = MemoryBuilder::kHeap + 0x5010;
  const bool is_explained = GENERATE(true, false);
  MemoryBuilder b;
  b.block(kPointedAt, 8 + 5 * 16);
  b.block(kChild, 100);
  b.begin_snapshot();
  b.snapshot.range(Kind::file, kPlace, kPlaceEnd);
  b.snapshot.word(kPlace, kPointedAt + 8);
  b.snapshot.range(Kind::program_break, MemoryBuilder::kHeap, MemoryBuilder::kHeapEnd);
  b.snapshot.word(kPointedAt + 24, kChild);
  if (is_explained) b.snapshot.length(kPointedAt, 5);
  b.end_snapshot();
  CHECK(Classified(b).reach_at(kChild) == (is_explained ? "reachable" : "possible"));
}
