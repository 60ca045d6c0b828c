// Pages of events parted into columns and joined again, and groups of pages from bytes that nobody vouches for.
#include <catch2/catch.hpp>

#include <random>

#include "memprof/compressed_trace.h"
#include "trace/event_columns.h"
#include "trace/page_group.h"
#include "trace_builder.h"

using namespace memprof;
using memprof::test::Bytes;

namespace {

Bytes bytes_of(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

size_t place(format::Column column) { return static_cast<size_t>(column); }

// Mostly records that make sense, of every form, with numbers of every length.
Bytes random_payload(std::mt19937_64& random, size_t length, bool is_noise) {
  Bytes bytes;
  while (bytes.size() < length) {
    if (is_noise) {
      bytes.push_back(static_cast<std::byte>(random()));
      continue;
    }
    const unsigned shift = static_cast<unsigned>(random() % 8);
    bytes.push_back(static_cast<std::byte>(random() % 30 == 0 ? 2 : (0xffu >> shift) & (random() | 0x80u >> shift)));
    for (size_t i = random() % 9; i > 0; --i) bytes.push_back(static_cast<std::byte>(random() >> random() % 8));
  }
  bytes.resize(length);
  return bytes;
}

struct Pages {
  std::vector<PayloadShape> shapes;
  Bytes payloads;

  void add(const Bytes& payload, bool is_events) {
    shapes.push_back({is_events, static_cast<uint32_t>(payload.size())});
    payloads.insert(payloads.end(), payload.begin(), payload.end());
  }
};

bool unpacks_to(const Bytes& group, const Pages& pages) {
  Bytes found(pages.payloads.size());
  return unpack_group(group, pages.shapes, found) && found == pages.payloads;
}

}  // namespace

TEST_CASE("the example of compressed_trace.h is how records are parted", "[columns]") {
  EventColumns columns;
  split_events(bytes_of({0x1f, 0x05, 0x24, 0x01, 0x00, 0x20, 0xf2, 0x2a, 0x60, 0x55, 0x0c, 0x03, 0x80, 0x0c, 0x00}),
               columns);
  const size_t time = place(format::Column::time), allocated = place(format::Column::allocated);
  EventColumns expected;
  expected[place(format::Column::tokens)] = bytes_of({0x1f, 0x0c});
  expected[time + 6 * 3 + 0] = bytes_of({0x05});
  expected[time + 6 * 4 + 3] = bytes_of({0x03});
  expected[place(format::Column::stacks)] = bytes_of({0x24});
  expected[place(format::Column::tags)] = bytes_of({0x01, 0x00, 0x0c, 0x00});
  expected[place(format::Column::sizes)] = bytes_of({0x20});
  expected[allocated] = bytes_of({0xf2});
  expected[allocated + 2] = bytes_of({0x2a});
  expected[allocated + 3] = bytes_of({0x60});
  expected[allocated + 4] = bytes_of({0x55});
  expected[place(format::Column::freed)] = bytes_of({0x80});
  CHECK(columns == expected);
}

TEST_CASE("whatever a page of events holds comes back from its columns", "[columns]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    Pages pages;
    for (uint64_t count = random() % 6; count > 0; --count)
      pages.add(random_payload(random, random() % 3000, round % 4 == 0), random() % 4 != 0);
    REQUIRE(unpacks_to(pack_group(pages.shapes, pages.payloads), pages));
  }
}

TEST_CASE("a record that passes the end of its page stays a part of one", "[columns]") {
  // Each prefix of one record of each kind.
  for (const Bytes& whole :
       {bytes_of(
            {0x1f, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 9, 0xf8, 1, 2, 3, 4, 5, 6, 7, 8}),
        bytes_of({0xff, 0x85, 1}), bytes_of({0x7f, 0x05, 0xc1, 1}), bytes_of({0x3f, 0xc0, 1, 0xef, 2}),
        bytes_of({0x0f, 9, 3, 1, 2, 4, 5}), bytes_of({0x06, 1, 2, 0x81, 9, 3, 0, 40, 0xe1, 2}),
        bytes_of({0x02, 0x07, 3, 1, 2, 3, 0x85}), bytes_of({0x85, 0, 4, 4}), bytes_of({0x85, 1, 4}),
        bytes_of({3, 3})}) {
    for (size_t length = 0; length <= whole.size(); ++length) {
      CAPTURE(length);
      Pages pages;
      pages.add(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)), true);
      pages.add(bytes_of({0x85, 0x86}), true);
      REQUIRE(unpacks_to(pack_group(pages.shapes, pages.payloads), pages));
    }
  }
}

TEST_CASE("a broken group is refused or unpacked, and never costs more than it says", "[columns]") {
  std::mt19937_64 random(11);
  Pages pages;
  for (int i = 0; i < 5; ++i) pages.add(random_payload(random, 700, false), i != 2);
  const Bytes group = pack_group(pages.shapes, pages.payloads);
  Bytes found(pages.payloads.size());
  for (size_t at = 0; at < group.size(); ++at) {
    for (const unsigned mask : {0x01u, 0x80u, 0xffu}) {
      Bytes broken = group;
      broken[at] ^= static_cast<std::byte>(mask);
      unpack_group(broken, pages.shapes, found);
    }
    REQUIRE_FALSE(unpack_group(std::span(group).first(at), pages.shapes, found));
  }
  for (int round = 0; round < 2000; ++round) {
    Bytes noise(1 + random() % 300);
    for (std::byte& byte : noise) byte = static_cast<std::byte>(random() >> random() % 8);
    REQUIRE_FALSE(unpack_group(noise, pages.shapes, found));
  }
}

TEST_CASE("a group says no more than it may", "[columns]") {
  Pages pages;
  pages.add(Bytes(100'000, std::byte{0x85}), true);
  const Bytes group = pack_group(pages.shapes, pages.payloads);
  CHECK(group.size() >= 100'000 / format::kMostGroupRatio);
  CHECK(group.size() < 100'000 / format::kMostGroupRatio + 100);
  CHECK(unpacks_to(group, pages));
  Bytes found(100'000);
  // Without the zeros at its end it holds the same, and is refused for it.
  CHECK_FALSE(unpack_group(std::span(group).first(group.size() / 2), pages.shapes, found));
  // A column that says to be of 4 GiB.
  CHECK_FALSE(unpack_group(bytes_of({1, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0}), std::span(pages.shapes).first(0), {}));
}
