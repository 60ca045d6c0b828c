// Frames as bytes, in traces and in the cache: what is written is read, and nobody vouches for the bytes.
#include <catch2/catch.hpp>

#include "symbols/stored_frames.h"

using namespace memprof;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// The example of trace_format.h, without the module.
const Bytes kExample = bytes_of({0x02, 0x04, 0x6d, 0x61, 0x69, 0x6e, 0x05, 0x61, 0x2e, 0x63, 0x70, 0x70,  //
                                 0xd0, 0x22, 0x02, 0x02, 0x02, 0x0c,                                      //
                                 0x34, 0x04, 0x03, 0x02, 0x07, 0x02, 0x02, 0x0f});

const std::vector<SourceFrame> kOne = {{.function = "main", .file = "a.cpp", .line = 12}};
const std::vector<SourceFrame> kTwo = {{.function = "main", .file = "a.cpp", .line = 7, .inlined = true},
                                       {.function = "main", .file = "a.cpp", .line = 15}};

void check_equal(const std::vector<SourceFrame>& found, const std::vector<SourceFrame>& expected) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].function == expected[i].function);
    CHECK(found[i].file == expected[i].file);
    CHECK(found[i].line == expected[i].line);
    CHECK(found[i].inlined == expected[i].inlined);
    CHECK(found[i].linkage_name == expected[i].linkage_name);
  }
}

}  // namespace

TEST_CASE("the example of the format is written and read", "[symbols][stored]") {
  StoredFramesWriter writer;
  CHECK(writer.empty());
  CHECK(writer.size_with({0x1150, false}, kOne) >= 18);
  writer.add({0x1150, false}, kOne);
  CHECK(writer.size_with({0x1184, false}, kTwo) >= kExample.size());
  writer.add({0x1184, false}, kTwo);
  CHECK(writer.take() == kExample);
  CHECK(writer.empty());

  StoredFrames frames;
  REQUIRE(frames.add(kExample));
  check_equal(frames.find({0x1150, false}), kOne);
  check_equal(frames.find({0x1184, false}), kTwo);
  CHECK(frames.find({0x1150, true}).empty());
  CHECK_FALSE(frames.has({0x1151, false}));
  CHECK(frames.addresses() == std::vector<CodeAddress>{{0x1150, false}, {0x1184, false}});
}

TEST_CASE("linkage names are kept in the cache and not in traces", "[symbols][stored]") {
  const std::vector<SourceFrame> inlined = {
      {.function = "f(int)", .file = "a.cpp", .line = 3, .inlined = true, .linkage_name = "_Z1fi"},
      {.function = "g()", .file = "a.cpp", .line = 4, .linkage_name = "_Z1gv"}};
  for (const StoredNames names : {StoredNames::of_trace, StoredNames::of_cache}) {
    StoredFramesWriter writer(names);
    writer.add({1, false}, inlined);
    writer.add({2, false}, kOne);
    StoredFrames stored(names);
    REQUIRE(stored.add(writer.take()));
    check_equal(stored.find({2, false}), kOne);
    std::vector<SourceFrame> expected = inlined;
    if (names == StoredNames::of_trace)
      for (SourceFrame& frame : expected) frame.linkage_name = {};
    check_equal(stored.find({1, false}), expected);
    writer.add({1, false}, inlined);  // take() leaves the kind as it was
    StoredFrames again(names);
    REQUIRE(again.add(writer.take()));
    check_equal(again.find({1, false}), expected);
  }
  StoredFrames bad(StoredNames::of_cache);
  CHECK_FALSE(bad.add(bytes_of({0, 1, 2, 0, 0, 0, 1})));  // a linkage name that is not there
}

TEST_CASE("all addresses and names come back, of several blocks the first", "[symbols][stored]") {
  const std::string long_name(70'000, 'x');
  std::vector<std::pair<CodeAddress, std::vector<SourceFrame>>> all;
  for (uint64_t i = 0; i < 500; ++i) {
    const CodeAddress code{i < 250 ? i : UINT64_MAX - 500 + i, i % 2 == 1};
    all.push_back({code, {{.line = static_cast<uint32_t>(i * 9'000'000)}}});
    if (i % 7 == 0) all.back().second[0].function = i % 14 == 0 ? std::string_view(long_name) : "f";
    if (i % 5 == 0) all.back().second[0].file = "file";
  }
  StoredFramesWriter writer;
  for (const auto& [code, frames] : all) writer.add(code, frames);
  StoredFrames stored;
  REQUIRE(stored.add(writer.take()));
  StoredFramesWriter other;
  other.add({0, false}, kTwo);
  other.add({1'000'000, false}, kTwo);
  REQUIRE(stored.add(other.take()));
  for (const auto& [code, frames] : all) check_equal(stored.find(code), frames);
  check_equal(stored.find({1'000'000, false}), kTwo);
  CHECK(stored.addresses().size() == 501);
}

TEST_CASE("a block that is cut or changed is refused or read, never more", "[symbols][stored]") {
  const auto try_bytes = [](const Bytes& bytes) {
    StoredFrames frames;
    const bool is_good = frames.add(bytes);
    for (const CodeAddress code : frames.addresses()) CHECK_FALSE(frames.find(code).empty());
    return is_good;
  };
  size_t refused = 0;
  for (size_t length = 0; length < kExample.size(); ++length)
    refused += !try_bytes(Bytes(kExample.begin(), kExample.begin() + static_cast<std::ptrdiff_t>(length)));
  CHECK(refused >= kExample.size() - 3);  // whole after the strings, and after the first address
  for (size_t at = 0; at < kExample.size(); ++at)
    for (int value = 0; value < 256; ++value) {
      Bytes bytes = kExample;
      bytes[at] = static_cast<std::byte>(value);
      try_bytes(bytes);
    }
  CHECK_FALSE(try_bytes(bytes_of({0xff, 0xff, 0xff, 0xff, 0x7f})));              // so many strings
  CHECK_FALSE(try_bytes(bytes_of({1, 0xff, 0xff, 0xff, 0xff, 0x7f})));           // so long a string
  CHECK_FALSE(try_bytes(bytes_of({0, 1, 0xfe, 0xff, 0xff, 0xff, 0x7f, 0, 0})));  // so many frames
  CHECK_FALSE(try_bytes(bytes_of({0, 1, 0})));                                   // no frame
  CHECK_FALSE(try_bytes(bytes_of({0, 1, 2, 2, 0, 0})));                          // a string that is not there
}
