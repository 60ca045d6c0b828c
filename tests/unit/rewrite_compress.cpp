// A compressed trace says all that the trace said, and is no trap when it is broken.
#include <catch2/catch.hpp>

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "every_report.h"
#include "first_difference.h"
#include "memprof/compressed_trace.h"
#include "new_directory.h"
#include "rewrite/compress.h"
#include "trace/page_group.h"
#include "trace/trace_error.h"

using namespace memprof;
using namespace memprof::test;

namespace {

Bytes compressed(const Bytes& trace, const NewDirectory& directory) {
  compress_trace(open_bytes(trace), directory.at("packed"), nullptr);
  return directory.read("packed");
}

Bytes decompressed(const Bytes& packed, const NewDirectory& directory) {
  decompress_trace(open_bytes(packed), directory.at("unpacked"), nullptr);
  return directory.read("unpacked");
}

// Several threads, pages of every kind, and events of every form.
TraceBuilder long_trace(size_t events) {
  TraceBuilder b;
  std::mt19937_64 random(3);
  b.add_command({"./app"});
  b.define_domain(20, "pool");
  b.define_tag(256, format::Function::pool_alloc, 20, "arena");
  const uint32_t module = b.add_module("/usr/bin/app", 0x400000, 0x500000, 0x400000, "0123456789abcdef0123");
  std::vector<uint32_t> stacks;
  for (uint32_t i = 0; i < 40; ++i)
    stacks.push_back(b.add_node(i % 5 == 0 ? uint32_t{format::kRootWhole} : stacks.back(), module, 0x1000 + 16 * i));
  std::vector<uint64_t> live;
  uint64_t time = 0;
  for (size_t i = 0; i < events; ++i) {
    const auto stream = static_cast<uint32_t>(1 + random() % 3);
    const uint32_t stack = stacks[random() % stacks.size()];
    time += 1 + random() % 50;
    if (live.empty() || random() % 2 == 0) {
      live.push_back(0x1000 + 16 * (random() % 100'000));
      b.alloc(stream, time, live.back(), random() % 900, stack);
    } else if (random() % 6 == 0) {
      b.realloc(stream, time, time + 3, live.back(), live.back() + 32, random() % 900, stack);
      time += 3;
      live.back() += 32;
    } else {
      b.free(stream, time, live.back());
      live.pop_back();
    }
  }
  b.add_mark(time, 1, "end");
  b.close(time + 10);
  return b;
}

// The same file with another index, whose checksum is right.
Bytes with_index(const Bytes& packed, const std::function<void(Bytes& index)>& change) {
  format::CompressedFooter footer;
  std::memcpy(&footer, packed.data() + packed.size() - sizeof footer, sizeof footer);
  Bytes index(footer.index_raw_bytes);
  REQUIRE(unpack_bytes(std::span(packed).subspan(footer.index_offset, footer.index_bytes), index));
  change(index);
  const Bytes stored = pack_bytes(index);
  footer.index_bytes = stored.size();
  footer.index_raw_bytes = index.size();
  footer.index_checksum = XXH3_64bits(stored.data(), stored.size());
  Bytes out(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(footer.index_offset));
  out.insert(out.end(), stored.begin(), stored.end());
  const auto bytes = std::as_bytes(std::span(&footer, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

template <class T>
void put_at(Bytes& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::string all_text(const Bytes& bytes) {
  Trace trace(open_bytes(bytes));
  ReportOptions options;
  options.symbols = false;
  EveryReport reports = every_report(trace, options);
  // How long the file is, is not the same.
  return reports.csv + reports.chunks;
}

}  // namespace

TEST_CASE("a compressed trace reads the same and unpacks to the same bytes", "[compress]") {
  const NewDirectory directory;
  const Bytes trace = long_trace(60'000).build();
  const Bytes packed = compressed(trace, directory);
  CHECK(packed.size() < trace.size() / 2);
  CHECK(first_difference(all_text(packed), all_text(trace)) == "");
  CHECK((decompressed(packed, directory) == trace));
  const TraceFile file = open_bytes(packed);
  CHECK(file.complete());
  CHECK(file.is_compressed());
  CHECK(file.size_bytes() == packed.size());
  CHECK(file.recorded_bytes() == trace.size());
  CHECK(file.pages().size() == open_bytes(trace).pages().size());
}

TEST_CASE("what is unwritten, open, cut or damaged stays so in a compressed trace", "[compress]") {
  const NewDirectory directory;
  TraceBuilder builder = long_trace(8'000);
  builder.pages()[3].sealed = false;
  Bytes whole = builder.build();
  const size_t page = format::kMinPageSize;
  REQUIRE(whole.size() > 12 * page);
  whole[5 * page + 100] ^= std::byte{1};  // a checksum
  whole[6 * page] ^= std::byte{1};        // no page at all
  std::fill_n(whole.begin() + 7 * page, page, std::byte{0});
  for (const size_t cut : {size_t{0}, page - 3, page - 30, page / 2, 2 * page}) {
    CAPTURE(cut);
    const Bytes trace(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(cut));
    const Bytes packed = compressed(trace, directory);
    CHECK((decompressed(packed, directory) == trace));
    const Analysed a(trace), b(packed);
    CHECK(a.trace.file.damage().warnings() == b.trace.file.damage().warnings());
    CHECK(a.trace.file.damage().pages() >= 2);
    CHECK(a.trace.file.unwritten_pages() == b.trace.file.unwritten_pages());
    CHECK(a.heap().open_bytes() == b.heap().open_bytes());
  }
}

TEST_CASE("a damaged group loses its pages and no others", "[compress]") {
  const NewDirectory directory;
  const Bytes trace = long_trace(400'000).build();
  Bytes packed = compressed(trace, directory);
  packed[packed.size() / 2] ^= std::byte{4};
  const Analysed a(packed);
  CHECK(a.trace.file.damage().pages() > 0);
  CHECK(a.trace.file.damage().pages() <= (1u << 19) / 3'900);  // its pages have that much payload
  CHECK_FALSE(a.trace.file.complete());
  CHECK(a.trace.file.damage().warnings()[0].find("what the compressed trace holds of it is damaged") !=
        std::string::npos);
  CHECK(a.result.pairing.event_count() > 100'000);
}

TEST_CASE("many threads read the same compressed trace", "[compress]") {
  const NewDirectory directory;
  const Bytes trace = long_trace(300'000).build();
  const TraceFile plain = open_bytes(trace), packed = open_bytes(compressed(trace, directory));
  std::vector<std::thread> threads;
  std::atomic<size_t> wrong = 0;
  for (size_t first = 0; first < 4; ++first) {
    threads.emplace_back([&, first] {
      Bytes buffer, other;
      std::span<const std::byte> payload, expected;
      for (size_t i = first; i < plain.pages().size(); i += 3) {
        if (!packed.read_page(packed.pages()[i], buffer, payload) ||
            !plain.read_page(plain.pages()[i], other, expected) || !std::ranges::equal(payload, expected))
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a compressed trace that is cut is refused with its reason", "[compress]") {
  const NewDirectory directory;
  Bytes packed = compressed(long_trace(100).build(), directory);
  packed.resize(packed.size() - 10);
  CHECK_THROWS_WITH(open_bytes(packed), Catch::Contains("was the file cut?"));
}

TEST_CASE("an index that lies is refused, whatever its checksum says", "[compress]") {
  const NewDirectory directory;
  const Bytes packed = compressed(long_trace(3'000).build(), directory);
  size_t groups = 0, pages = 0;
  REQUIRE_NOTHROW(open_bytes(with_index(packed, [&](Bytes& index) {
    uint64_t counts[2];
    std::memcpy(counts, index.data(), sizeof counts);
    groups = counts[0];
    pages = counts[1];
  })));
  REQUIRE(groups >= 2);
  REQUIRE(pages >= 3);
  const size_t entry = 16, planes = entry + groups * sizeof(format::GroupEntry);
  const auto plane = [&](size_t byte) { return planes + byte * pages; };
  const std::vector<std::function<void(Bytes&)>> lies = {
      [&](Bytes& index) { put_at(index, 0, uint64_t{1} << 60); },
      [&](Bytes& index) { put_at(index, 8, UINT64_MAX); },
      [&](Bytes& index) { put_at(index, 8, pages - 1); },
      [&](Bytes& index) { put_at(index, entry, uint64_t{700}); },                          // not behind the header
      [&](Bytes& index) { put_at(index, entry + 8, UINT32_MAX); },                         // more bytes than there are
      [&](Bytes& index) { put_at(index, entry + 8, uint32_t{1}); },                        // too few for its payloads
      [&](Bytes& index) { put_at(index, entry + 12, uint32_t{0}); },                       // no page
      [&](Bytes& index) { put_at(index, entry + 12, static_cast<uint32_t>(pages + 1)); },  // more pages than there are
      [&](Bytes& index) { index[plane(64)] = index[plane(64) + 1]; },                      // a page twice
      [&](Bytes& index) { index[plane(64)] = std::byte{0}; },                              // the header page
      [&](Bytes& index) { index[plane(70)] = std::byte{1}; },                              // longer than a page
      [&](Bytes& index) { index.resize(index.size() - 1); },
      [&](Bytes& index) { index.resize(index.size() + 1); },
      [&](Bytes& index) { index.clear(); },
  };
  for (size_t i = 0; i < lies.size(); ++i) {
    CAPTURE(i);
    CHECK_THROWS_AS(open_bytes(with_index(packed, lies[i])), TraceError);
  }
  // What unpacks to much more than it is.
  CHECK_THROWS_AS(open_bytes(with_index(packed, [](Bytes& index) { index.resize(size_t{1} << 22); })), TraceError);
}
