#include <errno.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "samples/memory_files.h"

using namespace memprof;
using format::kNotSampled;
using format::MemorySample;

namespace {

MemorySample nothing() {
  MemorySample sample;
  std::memset(&sample, 0xff, sizeof sample);
  return sample;
}

bool parse_rollup(const std::string& text, MemorySample* sample) {
  return memprof::parse_rollup(text.data(), text.size(), sample);
}

}  // namespace

TEST_CASE("statm counts pages", "[samples]") {
  const std::string text = "765 442 414 5 0 123 0\n";
  MemorySample sample = nothing();
  REQUIRE(parse_statm(text.data(), text.size(), 4096, &sample));
  CHECK(sample.virtual_bytes == 765 * 4096);
  CHECK(sample.resident_bytes == 442 * 4096);
  CHECK(sample.file_bytes == 414 * 4096);
  for (const char* bad : {"", "765", "765 442 ", "x 1 2", "0 0 0 0 0 0 0\n"}) {
    INFO(bad);
    CHECK_FALSE(parse_statm(bad, std::strlen(bad), 4096, &sample));
  }
}

TEST_CASE("smaps_rollup names what it counts, in any order", "[samples]") {
  MemorySample sample = nothing();
  REQUIRE(
      parse_rollup("55e84f48f000-7ffc117fd000 ---p 00000000 00:00 0    [rollup]\n"
                   "Rss:                1620 kB\nPss:                 176 kB\nPss_Dirty:           116 kB\n"
                   "Shared_Clean:       1464 kB\nPrivate_Dirty:       117 kB\nReferenced:         1619 kB\n"
                   "Swap:                  3 kB\nSwapPss:               2 kB\n",
                   &sample));
  CHECK(sample.exact_resident_bytes == 1620 * 1024);
  CHECK(sample.proportional_bytes == 176 * 1024);
  CHECK(sample.shared_clean_bytes == 1464 * 1024);
  CHECK(sample.private_dirty_bytes == 117 * 1024);
  CHECK(sample.referenced_bytes == 1619 * 1024);
  CHECK(sample.swap_bytes == 3 * 1024);
  CHECK(sample.shared_dirty_bytes == kNotSampled);  // this kernel does not tell
  CHECK(sample.anonymous_bytes == kNotSampled);
  for (const char* bad : {"", "Rss", "Rss:", "Rss:  kB\n", "no kernel of ours\n"})
    CHECK_FALSE(parse_rollup(bad, &sample));
}

TEST_CASE("the kernel tells of pages that are touched, and errno is kept", "[samples]") {
  constexpr size_t kBytes = size_t{32} << 20;
  MemorySample before = nothing(), after = nothing();
  errno = EDOM;
  REQUIRE(read_statm(4096, &before));
  if (!read_rollup(&before)) return;  // a kernel older than 4.14
  std::vector<char> touched(kBytes, 1);
  REQUIRE(read_statm(4096, &after));
  REQUIRE(read_rollup(&after));
  CHECK(errno == EDOM);
  CHECK(touched[kBytes / 2] == 1);
  CHECK(after.exact_resident_bytes >= before.exact_resident_bytes + kBytes * 9 / 10);
  CHECK(after.resident_bytes >= before.resident_bytes + kBytes * 8 / 10);
  CHECK(after.virtual_bytes >= before.virtual_bytes + kBytes);
}
