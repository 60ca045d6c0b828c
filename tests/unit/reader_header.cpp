#include <catch2/catch.hpp>

#include <cstring>

#include "trace/trace_error.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;
using format::FileHeader;

namespace {

Bytes small_trace_bytes() {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 24, s);
  b.close(100);
  return b.build();
}

std::string error_of(const Bytes& bytes) {
  try {
    open_bytes(bytes);
  } catch (const TraceError& error) {
    return error.what();
  }
  return "";
}

template <class T>
Bytes with(size_t offset, T value) {
  Bytes bytes = small_trace_bytes();
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

}  // namespace

TEST_CASE("an empty file is named as such", "[reader]") {
  CHECK(error_of({}) == "test.trace: at offset 0: expected a memprof trace, found an empty file");
}

TEST_CASE("a foreign file is named by its first bytes", "[reader]") {
  CHECK_THAT(error_of(Bytes(100, std::byte{0x41})),
             Contains("at offset 0: expected a memprof trace") && Contains("41 41 41 41 41 41 41 41"));
}

TEST_CASE("a header cut short is named with where it ends", "[reader]") {
  Bytes bytes = small_trace_bytes();
  bytes.resize(100);
  CHECK(error_of(bytes) ==
        "test.trace: at offset 100: expected a header of 576 bytes, found the end of the file at 100");
}

TEST_CASE("a future version is refused before its checksum is looked at", "[reader]") {
  CHECK_THAT(error_of(with(offsetof(FileHeader, format_version), uint32_t{2})),
             Contains("at offset 8: expected format version 1 to 1") && Contains("found version 2"));
  CHECK_THAT(error_of(with(offsetof(FileHeader, format_version), uint32_t{0})), Contains("found version 0"));
}

TEST_CASE("a trace of the other byte order is refused", "[reader]") {
  CHECK_THAT(error_of(with(offsetof(FileHeader, endian_tag), uint32_t{0x04030201})),
             Contains("at offset 12: expected the byte order tag 0x1020304, found 0x4030201"));
}

TEST_CASE("a damaged fixed part is refused", "[reader]") {
  CHECK_THAT(error_of(with(offsetof(FileHeader, pid), uint32_t{1})),
             Contains("at offset 184: expected header checksum") && Contains("the header is damaged"));
}

TEST_CASE("a header that cannot be true is refused though its checksum is right", "[reader]") {
  TraceBuilder b;
  b.header.clock = static_cast<format::Clock>(9);
  CHECK_THAT(error_of(b.build()), Contains("at offset 80: expected clock 1 (tsc) or 2 (monotonic), found 9"));
  b.header.clock = format::Clock::tsc;
  b.header.time_shift = 33;
  CHECK_THAT(error_of(b.build()), Contains("at offset 84: expected a time shift"));
  b.header.time_shift = 4;
  b.header.pointer_bits = 32;
  CHECK_THAT(error_of(b.build()), Contains("at offset 92: expected pointers of 64 bits, found 32"));
  b.header.pointer_bits = 64;
  b.header.fixed_bytes = 100;
  CHECK_THAT(error_of(b.build()), Contains("at offset 16: expected a fixed part of 192 bytes, found 100"));
  b.header.fixed_bytes = format::kFixedBytes;
  for (const uint32_t size : {2048u, 5000u, 2u << 20}) {
    b.header.page_size = size;
    CHECK_THAT(error_of(b.build()), Contains("at offset 20: expected a power of two"));
  }
}

TEST_CASE("what is no regular file is refused", "[reader]") {
  CHECK_THROWS_AS(TraceFile::open("/no/such/file"), TraceError);
  CHECK_THROWS_WITH(TraceFile::open("/no/such/file"),
                    Contains("/no/such/file: at offset 0: expected a readable trace file, found No such file"));
  CHECK_THROWS_WITH(TraceFile::open("/tmp"), Contains("expected a regular file, found a directory"));
  CHECK_THROWS_WITH(TraceFile::open("/dev/null"), Contains("expected a regular file"));
}
