// The golden trace of each released version reads as it did, and breaks like every other trace.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "every_report.h"
#include "trace/trace_error.h"

using namespace memprof;
using namespace memprof::test;

namespace {

// MEMPROF_GOLDEN_DIR, else where this file was compiled from.
Bytes golden(const char* name) {
  const char* directory = std::getenv("MEMPROF_GOLDEN_DIR");
  const auto path = (directory ? std::filesystem::path(directory)
                               : std::filesystem::path(__FILE__).parent_path().parent_path() / "golden") /
                    name;
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(bytes, bytes + text.size());
}

// A copy on which damage is done in place and undone.
class Damaged {
 public:
  explicit Damaged(const Bytes& whole) : whole_(whole), descriptor_(memory_file(whole)) {}
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  ~Damaged() { ::close(descriptor_); }

  void flip(size_t at, std::byte mask) const {
    const std::byte value = whole_[at] ^ mask;
    REQUIRE(::pwrite(descriptor_, &value, 1, static_cast<off_t>(at)) == 1);
  }
  // A file that was cut stays cut: go on with shorter ones.
  void cut(size_t bytes) const { REQUIRE(::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0); }

  // What every command of memprof-analyze does with it, or the reading alone; false when it was refused. Anything but a
  // report and a TraceError, which are the exit statuses 0 and 3, ends the test.
  bool is_read(bool print, bool* complete = nullptr) const {
    try {
      Trace trace(TraceFile::from_descriptor(::dup(descriptor_), "golden"));
      ReportOptions options;
      options.symbols = false;
      print ? void(every_report(trace, options)) : void(analyse(trace));
      if (complete) *complete = trace.file.complete();
      return true;
    } catch (const TraceError&) {
      return false;
    }
  }

 private:
  const Bytes& whole_;
  const int descriptor_;
};

// Per page, the bytes from its start that mean something.
std::vector<size_t> meaningful_bytes(const Bytes& whole) {
  const TraceFile file = open_bytes(whole);
  std::vector<size_t> used(whole.size() / file.page_size(), 0);
  used[0] = sizeof(format::FileHeader);
  for (const PageEntry& page : file.pages()) used[page.page] = sizeof(format::PageHeader) + page.used;
  return used;
}

}  // namespace

TEST_CASE("the golden trace of version 1 reads as recorded, compressed or not", "[reader]") {
  const Analysed a(golden(GENERATE("trace_v1.bin", "compressed_v1.bin")));
  CHECK(a.trace.file.complete());
  CHECK(a.trace.metadata.command == std::vector<std::string>{"./golden"});
  CHECK(a.result.threads.size() == 2);
  CHECK(a.result.pairing.event_count() == 239);
  CHECK(a.heap().allocations == 125);
  CHECK(a.heap().frees() == 122);
  CHECK(a.heap().bytes_allocated == 11306);
  CHECK(a.heap().open_chunks() == 3);  // main's 1000 and 128 bytes, the thread's dtv
  CHECK(a.heap().open_bytes() == 1416);
  CHECK(a.heap().temporary == 120);
  CHECK(a.heap().orphans() == 0);
  CHECK(a.heap().double_allocations == 0);
  CHECK(a.heap().mismatched_frees == 0);
  REQUIRE(a.domain("mmap") != nullptr);
  CHECK(a.domain("mmap")->open_bytes() == 12 * 4096);
  CHECK(a.domain("mmap")->closed_bytes() == 4 * 4096);
  for (const Site& site : a.heap().sites.all()) {
    CHECK_FALSE(a.trace.nodes.is_truncated(site.stack));
    for (const StackId frame : a.trace.nodes.frames(site.stack, 100))
      CHECK(a.trace.modules.index_of(a.trace.nodes.node(frame).module) != Modules::kNone);
  }
}

TEST_CASE("the golden trace with any one byte wrong is read or refused", "[reader]") {
  const Bytes whole = golden("trace_v1.bin");
  const Damaged damaged(whole);
  const std::vector<size_t> used = meaningful_bytes(whole);
  const size_t page_size = whole.size() / used.size();
  bool complete = false;
  REQUIRE(damaged.is_read(true, &complete));
  REQUIRE(complete);
  for (size_t at = 0; at < whole.size(); ++at) {
    CAPTURE(at);
    const bool has_meaning = at % page_size < used[at / page_size];
    damaged.flip(at, std::byte{0xff});
    complete = false;
    const bool is_read = damaged.is_read(has_meaning, &complete);
    if (at < format::kFixedBytes) REQUIRE_FALSE(is_read);
    // A state byte turned to `open` would only switch the checksum off; 0xff turns it to nonsense.
    if (at >= page_size && has_meaning) REQUIRE_FALSE(complete);
    // Behind what a page holds nothing is looked at.
    if (!has_meaning) REQUIRE((is_read && complete));
    for (unsigned bit = 0; bit < 8 && has_meaning; ++bit) {
      damaged.flip(at, static_cast<std::byte>(1u << bit));
      const bool is_bit_read = damaged.is_read(false);
      if (at < format::kFixedBytes) REQUIRE_FALSE(is_bit_read);
    }
    damaged.flip(at, std::byte{0});
  }
}

TEST_CASE("the golden trace cut at any byte is read or refused", "[reader]") {
  const Bytes whole = golden("trace_v1.bin");
  const Damaged damaged(whole);
  const std::vector<size_t> used = meaningful_bytes(whole);
  const size_t page_size = whole.size() / used.size();
  for (size_t length = whole.size(); length-- > 0;) {
    CAPTURE(length);
    damaged.cut(length);
    bool complete = false;
    const bool has_meaning = length % page_size < used[length / page_size];
    const bool is_read = damaged.is_read(has_meaning, &complete);
    REQUIRE((is_read == (length >= sizeof(format::FileHeader))));
    // Of the last page, the rest that holds nothing may be missing.
    if (length + page_size <= whole.size()) REQUIRE_FALSE(complete);
  }
}

TEST_CASE("the golden compressed trace reads as the one that was packed", "[reader]") {
  ReportOptions options;
  options.symbols = false;
  Trace plain(open_bytes(golden("trace_v1.bin"))), packed(open_bytes(golden("compressed_v1.bin")));
  REQUIRE(packed.file.is_compressed());
  const EveryReport expected = every_report(plain, options), found = every_report(packed, options);
  CHECK(found.csv == expected.csv);
  CHECK(found.chunks == expected.chunks);
  for (size_t i = 0; i < plain.file.pages().size(); ++i) {
    std::vector<std::byte> one, other;
    std::span<const std::byte> payload, original;
    REQUIRE(plain.file.read_page(plain.file.pages()[i], one, original));
    REQUIRE(packed.file.read_page(packed.file.pages()[i], other, payload));
    CHECK(std::ranges::equal(payload, original));
  }
}

TEST_CASE("the golden compressed trace with any one byte wrong is read in part or refused", "[reader]") {
  const Bytes whole = golden("compressed_v1.bin");
  const Damaged damaged(whole);
  REQUIRE(damaged.is_read(true));
  for (size_t at = 0; at < whole.size(); ++at) {
    CAPTURE(at);
    for (unsigned bit = 0; bit < 9; ++bit) {
      damaged.flip(at, bit == 8 ? std::byte{0xff} : static_cast<std::byte>(1u << bit));
      bool complete = false;
      damaged.is_read(bit == 8 && at % 8 == 0, &complete);  // every report of some: what is damaged is left out
      // Everything but a reserved field has a checksum.
      REQUIRE_FALSE(complete);
    }
    damaged.flip(at, std::byte{0});
  }
}

TEST_CASE("the golden compressed trace cut at any byte is refused", "[reader]") {
  const Bytes whole = golden("compressed_v1.bin");
  const Damaged damaged(whole);
  for (size_t length = whole.size(); length-- > 0;) {
    CAPTURE(length);
    damaged.cut(length);
    REQUIRE_FALSE(damaged.is_read(false));
  }
}
