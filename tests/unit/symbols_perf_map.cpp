#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "symbols/perf_map.h"
#include "symbols_data/fixture.h"

using memprof::PerfMap;
using namespace symbols_test;

TEST_CASE("a JIT map names the addresses that its entries cover", "[symbols]") {
  const PerfMap map = PerfMap::parse("1000 10 first\n0x2000 0X20 py::second:/a b.py\n");
  CHECK(map.size() == 2);
  CHECK(map.find(0xfff).empty());
  CHECK(map.find(0x1000) == "first");
  CHECK(map.find(0x100f) == "first");
  CHECK(map.find(0x1010).empty());
  CHECK(map.find(0x201f) == "py::second:/a b.py");
}

TEST_CASE("of overlapping JIT entries the later one wins", "[symbols]") {
  SECTION("the new one lies inside the old one") {
    const PerfMap map = PerfMap::parse("1000 100 old\n1040 10 new\n");
    CHECK(map.find(0x103f) == "old");
    CHECK(map.find(0x1040) == "new");
    CHECK(map.find(0x104f) == "new");
    CHECK(map.find(0x1050) == "old");
    CHECK(map.find(0x10ff) == "old");
    CHECK(map.find(0x1100).empty());
  }
  SECTION("the new one covers several old ones and the head of another") {
    const PerfMap map = PerfMap::parse("1000 10 a\n1010 10 b\n1020 10 c\n1008 20 new\n");
    CHECK(map.find(0x1007) == "a");
    CHECK(map.find(0x1008) == "new");
    CHECK(map.find(0x1027) == "new");
    CHECK(map.find(0x1028) == "c");
    CHECK(map.find(0x102f) == "c");
  }
  SECTION("the new one is the same range") {
    const PerfMap map = PerfMap::parse("1000 10 a\n1000 10 b\n");
    CHECK(map.find(0x1000) == "b");
    CHECK(map.size() == 1);
  }
  SECTION("the new one starts where the old one does and is shorter") {
    const PerfMap map = PerfMap::parse("1000 10 a\n1000 8 b\n");
    CHECK(map.find(0x1007) == "b");
    CHECK(map.find(0x1008) == "a");
  }
}

TEST_CASE("lines of a JIT map that make no sense are skipped", "[symbols]") {
  const PerfMap map = PerfMap::parse(
      "\n\n1000\n1000 10\n1000 10 \n1000  10 two-spaces\n-5 10 negative\nxyz 10 word\n1000 zz word\n"
      "2000 0 empty\nfffffffffffffff0 20 wraps\n11112222333344445 10 too-long\n3000 10 good\r\n4000 10 unfinished");
  CHECK(map.size() == 2);
  CHECK(map.find(0x3000) == "good");
  CHECK(map.find(0x4000) == "unfinished");
  CHECK(map.find(0x2000).empty());
  CHECK(map.find(0xfffffffffffffff8).empty());
}

TEST_CASE("only a JIT map that can be trusted is read", "[symbols]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "perf-77.map";

  SECTION("a plain file") {
    write_bytes(path, "1000 10 name\n");
    const PerfMap map = PerfMap::load(directory.path(), 77);
    CHECK(map.error().empty());
    CHECK(map.find(0x1000) == "name");
    CHECK(map.path() == path);
  }
  SECTION("none: nothing to complain about") {
    const PerfMap map = PerfMap::load(directory.path(), 77);
    CHECK(map.error().empty());
    CHECK(map.size() == 0);
  }
  SECTION("a link") {
    write_bytes(directory / "target", "1000 10 name\n");
    std::filesystem::create_symlink(directory / "target", path);
    const PerfMap map = PerfMap::load(directory.path(), 77);
    CHECK(map.error() == "is a symbolic link");
    CHECK(map.size() == 0);
  }
  SECTION("a fifo, which would block its reader") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(PerfMap::load(directory.path(), 77).error() == "is not a regular file");
  }
  SECTION("one from before the trace") {
    write_bytes(path, "1000 10 name\n");
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(PerfMap::load(directory.path(), 77, status.st_mtime).size() == 1);
    CHECK(PerfMap::load(directory.path(), 77, status.st_mtime + 1).error() == "is older than the trace");
  }
  SECTION("someone else's") {
    if (::geteuid() != 0) return;  // only root can give a file away
    write_bytes(path, "1000 10 name\n");
    REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
    CHECK(PerfMap::load(directory.path(), 77).error() == "belongs to user 12345");
  }
}
