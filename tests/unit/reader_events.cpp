#include <catch2/catch.hpp>

#include <initializer_list>

#include "trace/event_reader.h"
#include "trace_builder.h"

using namespace memprof;
using namespace memprof::test;

namespace {

// Reads hand-made records, with the padding that read_page provides.
struct Page {
  Bytes bytes;
  std::vector<Event> events;
  bool damaged = false;

  explicit Page(std::initializer_list<unsigned> record_bytes) {
    for (unsigned byte : record_bytes) bytes.push_back(static_cast<std::byte>(byte));
    const size_t length = bytes.size();
    bytes.resize(length + TraceFile::kPayloadPadding);
    EventReader reader;
    reader.start(std::span(bytes).first(length),
                 {.base_ticks = 1600, .lead_units = 0, .time_shift = 4, .size_bias = 23});
    std::vector<Event> batch(7);
    while (const size_t count = reader.read(batch))
      events.insert(events.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(count));
    damaged = reader.is_damaged();
  }
};

}  // namespace

TEST_CASE("the example of trace_format.h reads as it says", "[reader]") {
  const Page page{0x1f, 0x05, 0x24, 0x01, 0x00, 0x20, 0xf2, 0x2a, 0x60, 0x55, 0x0c, 0x03, 0x80, 0x0c, 0x00};
  REQUIRE(page.events.size() == 2);
  CHECK_FALSE(page.damaged);
  CHECK(page.events[0].kind == EventKind::allocation);
  CHECK(page.events[0].ticks == 1600 + 5 * 16);
  CHECK(page.events[0].address == 0x2ab0150);
  CHECK(page.events[0].size == 32);
  CHECK(page.events[0].stack == 18);
  CHECK(page.events[0].tag == 1);
  CHECK(page.events[1].kind == EventKind::release);
  CHECK(page.events[1].ticks == 1600 + 8 * 16);
  CHECK(page.events[1].address == 0x2ab0150);
  CHECK(page.events[1].tag == 12);
}

TEST_CASE("an allocation of a known stack at the guessed place needs four bytes", "[reader]") {
  const Page page{0x1f, 0x05, 0x24, 0x01, 0x00, 0x20, 0xf2, 0x2a, 0x60, 0x55,  // alloc A
                  0x0c, 0x01, 0x80, 0x0c, 0x00,                                // free A
                  0x16, 0x01, 0x0f, 0x20};
  // The last record: 0001SSZA = 1,1,0: dt 1, a place in stacks[], a size, at the guess: the block just freed.
  REQUIRE(page.events.size() == 3);
  CHECK(page.events[2].address == 0x2ab0150);
  CHECK(page.events[2].size == 32);
  CHECK(page.events[2].stack == 18);
  CHECK(page.events[2].tag == 1);
}

TEST_CASE("a zero byte ends the records of a page", "[reader]") {
  const Page page{0x0c, 0x01, 0xf8, 1, 2, 3, 4, 5, 6, 7, 8, 12, 0, 0x00, 0x01, 0x01};
  CHECK(page.events.size() == 1);
  CHECK(page.events[0].address == 0x0807060504030201);
  CHECK_FALSE(page.damaged);
}

TEST_CASE("an extension is skipped, and one that passes the end is damage", "[reader]") {
  CHECK(Page{0x02, 0x77, 0x03, 0xff, 0xff, 0xff, 0x0c, 0x01, 0x00, 12, 0}.events.size() == 1);
  CHECK(Page{0x02, 0x77, 0x04, 0xff}.damaged);
  CHECK(Page{0x02, 0x77, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}.damaged);
}

TEST_CASE("malformed tokens and records cut by the end are damage after what was whole", "[reader]") {
  CHECK(Page{0x01}.damaged);
  CHECK(Page{0x03}.damaged);
  CHECK(Page{0x80}.damaged);        // nothing is predicted yet
  CHECK(Page{0x41, 0x00}.damaged);  // nor expected
  CHECK(Page{0x10, 0x00}.damaged);
  CHECK(Page{0x0c, 0x01, 0xdf, 0xff, 12, 0}.damaged);  // no such place in blocks[]
  const Page cut{0x0c, 0x01, 0x05, 12, 0, 0x0c, 0x01, 0xf8, 1, 2};
  CHECK(cut.damaged);
  CHECK(cut.events.size() == 1);
}

TEST_CASE("times and sizes that cannot be are damage, and the clock cannot overflow", "[reader]") {
  CHECK(Page{0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x05, 12, 0}.damaged);
  CHECK(Page{0x1f, 0x01, 0x24, 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x05}.damaged);
  const Page late{0x0c, 0xfd, 0xff, 0xff, 0xff, 0xff,
                  0xff, 0xff, 0x05, 12,   0};  // 2^49 - 1 is allowed: 8 bytes are needed
  CHECK((late.damaged || late.events.size() == 1));
}
