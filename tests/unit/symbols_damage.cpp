#include <catch2/catch.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "symbols/symbolizer.h"
#include "symbols_data/fixture.h"

// Damaged copies of symbols_data/sample.cpp must be answered, well or badly, without a crash or a hang.
// What a crash is, the sanitizers say best.

using namespace memprof;
using namespace symbols_test;

namespace {

// Resolves some addresses of the damaged file, without a build id, so that it is used whatever it says.
size_t resolve_some(const std::string& path) {
  static const uint64_t leaf = symbol_address(kSample, "sample_leaf");
  static const uint64_t outer = symbol_address(kSample, "_ZN6sample5outerERKNS_5ShapeEi");
  Symbolizer symbolizer({ModuleInfo{path, {}, 0, 0, 0}}, offline_options());
  size_t frames = 0;
  for (const uint64_t address : {leaf, outer + 12, outer + 24, uint64_t{0}})
    frames += symbolizer.resolve(0, address, false).size();
  return frames;
}

class DamagedFile {
 public:
  DamagedFile() : bytes_(read_bytes(kSample)) {}
  const std::string& bytes() const { return bytes_; }
  size_t resolve(const std::string& damaged) {
    // Written anew each time: libelf has the file mapped, but only until the answer is there.
    write_bytes(directory_ / "damaged.so", damaged);
    return resolve_some(directory_ / "damaged.so");
  }

 private:
  TemporaryDirectory directory_;
  std::string bytes_;
};

}  // namespace

TEST_CASE("a truncated file is answered", "[symbols]") {
  DamagedFile file;
  REQUIRE(file.resolve(file.bytes()) > 4);  // whole: inlined frames are there
  for (size_t length = 0; length < file.bytes().size(); length += 1 + length / 64)
    CHECK(file.resolve(file.bytes().substr(0, length)) >= 4);
}

TEST_CASE("a file with a flipped byte is answered", "[symbols]") {
  DamagedFile file;
  // The ELF header and the section headers (at the end) are worth each byte; of the rest a part will do.
  const size_t size = file.bytes().size();
  for (size_t at = 0; at < size; at += at < 1024 || at + 3000 > size ? 1 : 5) {
    for (const int mask : {0xff, 0x01, 0x80}) {
      std::string damaged = file.bytes();
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      REQUIRE(file.resolve(damaged) >= 4);
    }
  }
}

TEST_CASE("a file with much damage is answered", "[symbols]") {
  DamagedFile file;
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = file.bytes();
    // The ELF header stays, or nothing behind it would be read at all.
    for (unsigned i = 0; i < 1 + random() % 30; ++i)
      damaged[64 + random() % (damaged.size() - 64)] = static_cast<char>(random());
    REQUIRE(file.resolve(damaged) >= 4);
  }
}
