// Snapshots as bytes: the example of trace_format.h, and what does not hold together.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "trace/snapshots.h"
#include "trace_builder.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using format::SnapshotRecord;

namespace {

template <class T>
Bytes bytes_of(const T& value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

Bytes words_record(uint64_t address, const std::vector<uint8_t>& rest) {
  Bytes bytes = bytes_of(address);
  for (const uint8_t byte : rest) bytes.push_back(std::byte{byte});
  return bytes;
}

void add(TraceBuilder& b, SnapshotRecord type, const Bytes& payload) {
  b.add_snapshot_record(static_cast<uint16_t>(type), payload);
}

void add_begin(TraceBuilder& b, uint64_t start, uint64_t end) {
  add(b, SnapshotRecord::begin, bytes_of(format::SnapshotBegin{1, format::SnapshotReason::exit, 1, 1, 0}));
  add(b, SnapshotRecord::range, bytes_of(format::SnapshotRange{start, end, format::SnapshotRangeKind::anonymous, 0}));
}

struct Heard : SnapshotVisitor {
  std::vector<std::pair<uint64_t, uint64_t>> words;
  size_t begins = 0, threads = 0, ranges = 0, ends = 0;
  bool is_damaged = false;

  explicit Heard(TraceBuilder& b) {
    const TraceFile file = open_bytes(b.build());
    visit_snapshots(file, *this);
    is_damaged = file.damage().any();
  }
  void begin(const format::SnapshotBegin&) override { ++begins; }
  void thread(const format::SnapshotThread&) override { ++threads; }
  void range(const format::SnapshotRange&) override { ++ranges; }
  void word(uint64_t address, uint64_t value) override { words.emplace_back(address, value); }
  void end(const format::SnapshotEnd&) override { ++ends; }
};

using Words = std::vector<std::pair<uint64_t, uint64_t>>;

}  // namespace

TEST_CASE("the words of a snapshot are those of the format's example", "[snapshots]") {
  TraceBuilder b;
  add_begin(b, 0x1000, 0x2000);
  add(b, SnapshotRecord::words, words_record(0x1000, {0x00, 0x80, 0x40, 0x03, 0xe0, 0xff, 0x01}));
  add(b, SnapshotRecord::end, bytes_of(format::SnapshotEnd{2, 4096, 0, 0}));
  const Heard heard(b);
  CHECK(heard.words == Words{{0x1000, 0x2000}, {0x1018, 0x5ff0}});
  CHECK(heard.ends == 1);
  CHECK_FALSE(heard.is_damaged);
}

TEST_CASE("a word behind its range, or before, is damage", "[snapshots]") {
  for (const uint64_t address : {0x0ff8, 0x1ff8, 0x2000, 0x2008}) {
    INFO(std::hex << address);
    TraceBuilder b;
    add_begin(b, 0x1000, 0x2000);
    add(b, SnapshotRecord::words, words_record(address, {0x00, 0x02, 0x01, 0x02}));
    const Heard heard(b);
    CHECK(heard.words.size() == (address == 0x1ff8 ? 1 : 0));
    CHECK(heard.is_damaged);
  }
}

TEST_CASE("a step past the end of memory is damage", "[snapshots]") {
  TraceBuilder b;
  add_begin(b, 0x1000, UINT64_MAX);
  add(b, SnapshotRecord::words,
      words_record(0x1000, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02}));
  const Heard heard(b);
  CHECK(heard.words.empty());
  CHECK(heard.is_damaged);
}

TEST_CASE("records that are cut, or of no snapshot, are damage; those of a later library are not", "[snapshots]") {
  const SnapshotRecord type = GENERATE(SnapshotRecord::begin, SnapshotRecord::thread, SnapshotRecord::range,
                                       SnapshotRecord::words, SnapshotRecord::end);
  {
    TraceBuilder b;
    if (type != SnapshotRecord::begin) add_begin(b, 0x1000, 0x2000);
    add(b, type, Bytes(7));
    CHECK(Heard(b).is_damaged);
  }
  if (type != SnapshotRecord::begin) {
    TraceBuilder b;
    add(b, type, Bytes(400));
    CHECK(Heard(b).is_damaged);
  }
  TraceBuilder b;
  add_begin(b, 0x1000, 0x2000);
  b.add_snapshot_record(77, Bytes(3));
  CHECK_FALSE(Heard(b).is_damaged);
}
