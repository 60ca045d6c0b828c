// What is decoded ahead of the merge stays small, whatever the pages hold.
#include <malloc.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

#include "model/event_feed.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

// A stream whose first page has an event, and whose other pages have none.
Bytes trace_of_empty_pages(uint32_t empty_pages) {
  TraceBuilder b;
  b.header.page_size = format::kMinPageSize;
  b.alloc(1, 10, 0x1000, 16, b.stack(0x100));
  const auto events = std::find_if(b.pages().begin(), b.pages().end(),
                                   [](const PageImage& page) { return page.head.kind == format::StreamKind::events; });
  REQUIRE(events != b.pages().end());
  PageImage empty = *events;
  empty.payload.clear();
  for (uint32_t i = 1; i <= empty_pages; ++i) {
    empty.head.sequence = i;
    b.pages().push_back(empty);
  }
  return b.build();
}

size_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

TEST_CASE("pages without events do not pile up ahead of the merge", "[feed]") {
  constexpr uint32_t kEmptyPages = 2'000;
  const TraceFile file = open_bytes(trace_of_empty_pages(kEmptyPages));
  EventFeed feed(file);
  REQUIRE(feed.page_count() == kEmptyPages + 1);
  std::unique_ptr<Slice> slice;
  REQUIRE(feed.take(0, slice) == EventFeed::Next::wanted);
  const size_t before = heap_bytes();
  while (const auto task = feed.next_task()) feed.decode(*task);
  CHECK(heap_bytes() < before + (size_t{4} << 20));
  REQUIRE(feed.take(0, slice) == EventFeed::Next::ready);
  CHECK(slice->size == 1);
  while (const auto task = feed.next_task()) feed.decode(*task);
  CHECK(feed.take(0, slice) == EventFeed::Next::none);
  CHECK(feed.pages_read() == kEmptyPages + 1);
}
