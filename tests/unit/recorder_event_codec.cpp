// What the recorder's encoder writes, the analyzer's reader must read: two implementations of one specification.
#include <catch2/catch.hpp>

#include <random>
#include <vector>

#include "recorder/event_encoder.h"
#include "trace/event_reader.h"
#include "trace/trace_file.h"

using memprof::Event;
using memprof::EventEncoder;
using memprof::EventKind;
using memprof::EventReader;
namespace format = memprof::format;

namespace {

constexpr uint32_t kGlibcBias = 23;

// One page of records and what they must decode to.
class Page {
 public:
  explicit Page(uint64_t start_units) : start_units_(start_units) { encoder_.restart(start_units, kGlibcBias); }

  bool has_room() const { return used_ + EventEncoder::kMostBytes <= bytes_.size(); }
  size_t used() const { return used_; }

  void alloc(uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack, uint16_t tag) {
    advance_to(encoder_.alloc(at(), ticks, address, size, stack, tag));
    expected_.push_back({quantised(), address, size, stack, tag, EventKind::allocation, false});
  }
  void refuse(uint64_t ticks, uint64_t address, uint64_t size) {
    const uint64_t time = encoder_.time();
    REQUIRE(encoder_.alloc(at(), ticks, address, size, 77, 1) == at());
    REQUIRE(encoder_.time() == time);
  }
  void free(uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack, uint16_t tag) {
    advance_to(encoder_.free(at(), ticks, address, size, stack, tag));
    expected_.push_back({quantised(), address, size, stack, tag, EventKind::release, false});
  }
  void realloc(uint64_t begin, uint64_t end, uint64_t old_address, uint64_t address, uint64_t size, uint32_t stack,
               uint16_t tag) {
    const uint64_t before = encoder_.time();
    advance_to(encoder_.realloc(at(), begin, end, old_address, address, size, stack, tag));
    const uint64_t begin_units = std::max(before, EventEncoder::units_down(begin));
    expected_.push_back({begin_units << format::kTimeShift, old_address, 0, 0, tag, EventKind::release, false});
    expected_.push_back({quantised(), address, size, stack, tag, EventKind::allocation, true});
  }

  void check() {
    bytes_.resize(used_ + memprof::TraceFile::kPayloadPadding);
    EventReader reader;
    reader.start(std::span(reinterpret_cast<const std::byte*>(bytes_.data()), used_),
                 {start_units_ << format::kTimeShift, 0, format::kTimeShift, kGlibcBias});
    std::vector<Event> found;
    Event some[64];
    while (const size_t count = reader.read(some)) found.insert(found.end(), some, some + count);
    REQUIRE_FALSE(reader.is_damaged());
    REQUIRE(reader.bytes_read() == used_);
    REQUIRE(found.size() == expected_.size());
    for (size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      REQUIRE(found[i].ticks == expected_[i].ticks);
      REQUIRE(found[i].address == expected_[i].address);
      if (found[i].kind == EventKind::allocation) {
        REQUIRE(found[i].size == expected_[i].size);
        REQUIRE(found[i].stack == expected_[i].stack);
      } else if (i + 1 == found.size() || !found[i + 1].continues) {
        REQUIRE(found[i].size == expected_[i].size);
        REQUIRE(found[i].stack == expected_[i].stack);
      }
      REQUIRE(found[i].tag == expected_[i].tag);
      REQUIRE(found[i].kind == expected_[i].kind);
      REQUIRE(found[i].continues == expected_[i].continues);
    }
  }

 private:
  unsigned char* at() { return bytes_.data() + used_; }
  void advance_to(unsigned char* end) {
    REQUIRE(end - at() <= static_cast<ptrdiff_t>(EventEncoder::kMostBytes));
    REQUIRE(*at() != 0);
    used_ = static_cast<size_t>(end - bytes_.data());
  }
  uint64_t quantised() const { return encoder_.time() << format::kTimeShift; }

  std::vector<unsigned char> bytes_ = std::vector<unsigned char>(1 << 16);
  size_t used_ = 0;
  uint64_t start_units_;
  EventEncoder encoder_;
  std::vector<Event> expected_;
};

constexpr uint16_t kMalloc = static_cast<uint16_t>(format::Function::malloc);
constexpr uint16_t kFree = static_cast<uint16_t>(format::Function::free);
constexpr uint16_t kRealloc = static_cast<uint16_t>(format::Function::realloc);

}  // namespace

TEST_CASE("a loop of malloc and free takes two bytes a pair once it is known", "[codec]") {
  Page page(1000);
  uint64_t ticks = 1000 << format::kTimeShift;
  for (int i = 0; i < 100; ++i) {
    page.alloc(ticks += 300, 0x5555'0000'1230, 48, 77, kMalloc);
    page.free(ticks += 300, 0x5555'0000'1230, 0, 0, kFree);
  }
  CHECK(page.used() < 100 * 2 + 60);
  page.check();
}

TEST_CASE("the example of trace_format.h is what the encoder writes", "[codec]") {
  unsigned char bytes[2 * EventEncoder::kMostBytes] = {};
  EventEncoder encoder;
  encoder.restart(1000, kGlibcBias);
  unsigned char* at = encoder.alloc(bytes, 1005 << format::kTimeShift, 0x2ab0150, 32, 18, kMalloc);
  at = encoder.free(at, 1008 << format::kTimeShift, 0x2ab0150, 0, 0, kFree);
  const std::vector<unsigned char> example = {0x1f, 0x05, 0x24, 0x01, 0x00, 0x20, 0xf2, 0x2a,
                                              0x60, 0x55, 0x0c, 0x03, 0x80, 0x0c, 0x00};
  CHECK(std::vector<unsigned char>(bytes, at) == example);
}

TEST_CASE("an allocation of 2^56 bytes or more is not written, and moves no time", "[codec]") {
  Page page(1000);
  uint64_t ticks = 1000 << format::kTimeShift;
  for (const uint64_t bytes : {uint64_t{1} << 56, UINT64_MAX, UINT64_MAX - 22}) {
    page.alloc(ticks += 300, 0x1000, 48, 77, kMalloc);
    page.refuse(ticks += 300, 0x2000, bytes);
    page.alloc(ticks, 0x3000, format::kMostBlockBytes, 77, kMalloc);
  }
  page.check();
}

TEST_CASE("the extremes of every field survive", "[codec]") {
  Page page(5);
  page.alloc(5 << 4, 1, 0, 1, kMalloc);
  page.alloc(uint64_t{1} << 50, UINT64_MAX, (uint64_t{1} << 56) - 1, UINT32_MAX, UINT16_MAX);
  page.free((uint64_t{1} << 50) + 7, UINT64_MAX - 15, UINT32_MAX, UINT32_MAX, UINT16_MAX);
  page.realloc((uint64_t{1} << 50) + 9, (uint64_t{1} << 50) + (uint64_t{1} << 40), 0xfff0, 0xfff0, uint64_t{1} << 33, 7,
               kRealloc);
  page.realloc(uint64_t{1} << 51, (uint64_t{1} << 51) + 1, 3, 0x8000'0000'0000'0010, 0, 7, kRealloc);
  page.check();
}

TEST_CASE("stamps that run backwards are held, not wrapped", "[codec]") {
  Page page(1000);
  page.alloc(20000, 0x1000, 16, 20, kMalloc);
  page.free(100, 0x1000, 0, 0, kFree);
  page.alloc(0, 0x1000, 16, 20, kMalloc);
  page.check();
}

TEST_CASE("random histories read back as they were written", "[codec]") {
  std::mt19937_64 random(20261121);
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    uint64_t ticks = random() >> 20;
    Page page(ticks >> format::kTimeShift);
    std::vector<uint64_t> live;
    const auto pick = [&](uint64_t below) { return random() % below; };
    const uint64_t odd = round % 4;  // how irregular this history is
    while (page.has_room()) {
      ticks += pick(odd == 3 ? uint64_t{1} << pick(44) : 900);
      const uint64_t size = pick(odd == 0 ? 4 : 200) * 24 + (odd > 1 ? pick(2) << pick(40) : 0);
      const auto stack = static_cast<uint32_t>(16 + pick(odd == 0 ? 6 : 4000));
      const auto tag = static_cast<uint16_t>(odd > 1 ? 1 + pick(11) : kMalloc);
      const uint64_t address = odd == 3 ? random() : 0x5600'0000'0000 + 16 * pick(4096);
      const uint64_t choice = pick(10);
      if (live.empty() || choice < 5) {
        page.alloc(ticks, address, size, stack, tag);
        live.push_back(address);
        continue;
      }
      const size_t index = odd == 0 ? live.size() - 1 : pick(live.size());
      const uint64_t old_address = live[index];
      live.erase(live.begin() + static_cast<ptrdiff_t>(index));
      if (choice < 8) {
        const bool plain = odd < 2;
        page.free(ticks, old_address, plain ? 0 : pick(3) * 4096, plain ? 0 : static_cast<uint32_t>(pick(2) * stack),
                  plain ? kFree : static_cast<uint16_t>(12 + pick(5)));
      } else {
        const uint64_t moved = choice == 8 ? old_address : address;
        page.realloc(ticks, ticks + pick(1000), old_address, moved, size, stack, kRealloc);
        live.push_back(moved);
      }
    }
    page.check();
  }
}
