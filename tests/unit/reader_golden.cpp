// The golden trace of each released version reads as it did, and breaks like every other trace.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "report/reports.h"
#include "trace/trace_error.h"
#include "trace_opened.h"

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

bool is_read(const Bytes& bytes, bool* complete) {
  try {
    const Trace trace(open_bytes(bytes));
    analyse(trace);
    *complete = trace.file.complete();
    return true;
  } catch (const TraceError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("the golden trace of version 1 reads as recorded", "[reader]") {
  const Analysed a(golden("trace_v1.bin"));
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

TEST_CASE("the golden trace cut or flipped at any byte is read or refused", "[reader]") {
  const Bytes whole = golden("trace_v1.bin");
  const TraceFile file = open_bytes(whole);
  const size_t page_size = file.page_size();
  std::vector<size_t> used(whole.size() / page_size, 0);
  used[0] = sizeof(format::FileHeader);
  for (const PageEntry& page : file.pages()) used[page.page] = sizeof(format::PageHeader) + page.used;
  bool complete = false;
  REQUIRE(is_read(whole, &complete));
  REQUIRE(complete);
  for (size_t at = 0; at < whole.size(); ++at) {
    if (at % page_size > used[at / page_size]) continue;
    const bool is_cut_read = is_read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at)), &complete);
    REQUIRE((!is_cut_read || !complete || at + page_size > whole.size()));
    Bytes flipped = whole;
    flipped[at] ^= std::byte{0xff};
    complete = false;
    const bool is_flip_read = is_read(flipped, &complete);
    CAPTURE(at);
    if (at < format::kFixedBytes) REQUIRE_FALSE(is_flip_read);
    // A state byte turned to `open` would only switch the checksum off; 0xff turns it to nonsense.
    if (at >= page_size && at % page_size < used[at / page_size]) REQUIRE_FALSE(complete);
  }
}
