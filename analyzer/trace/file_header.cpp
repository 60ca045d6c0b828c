#include "trace/file_header.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "trace/trace_error.h"

namespace memprof {

using format::FileHeader;
using format::PageHeader;

namespace {

std::string describe_start(std::span<const std::byte> bytes) {
  std::string text;
  for (std::byte byte : bytes.first(std::min<size_t>(bytes.size(), sizeof format::kMagic)))
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", static_cast<unsigned>(byte));
  return "the bytes " + text;
}

uint64_t fixed_checksum(FileHeader header) {
  header.checksum = 0;
  return XXH3_64bits(&header, format::kFixedBytes);
}

}  // namespace

FileHeader parse_file_header(const std::string& file, std::span<const std::byte> bytes, uint64_t size_bytes) {
  const auto fail = [&](uint64_t offset, std::string expected, std::string found) {
    throw TraceError(file, offset, std::move(expected), std::move(found));
  };
  if (bytes.empty()) fail(0, "a memprof trace", "an empty file");
  const size_t magic_bytes = std::min(bytes.size(), sizeof format::kMagic);
  if (std::memcmp(bytes.data(), format::kMagic, magic_bytes) != 0)
    fail(0, "a memprof trace (89 4d 45 4d 50 52 4f 46)", describe_start(bytes));
  if (bytes.size() < sizeof(FileHeader))
    fail(bytes.size(), fmt::format("a header of {} bytes", sizeof(FileHeader)),
         fmt::format("the end of the file at {}", size_bytes));

  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.endian_tag != format::kEndianTag)
    fail(offsetof(FileHeader, endian_tag), fmt::format("the byte order tag {:#x}", format::kEndianTag),
         fmt::format("{:#x}", header.endian_tag));
  if (header.format_version == 0 || header.format_version > format::kVersion)
    fail(offsetof(FileHeader, format_version),
         fmt::format("format version 1 to {} (a newer memprof-analyze may read it)", format::kVersion),
         fmt::format("version {}", header.format_version));
  if (header.fixed_bytes != format::kFixedBytes)
    fail(offsetof(FileHeader, fixed_bytes), fmt::format("a fixed part of {} bytes", format::kFixedBytes),
         fmt::format("{}", header.fixed_bytes));
  if (const uint64_t sum = fixed_checksum(header); sum != header.checksum)
    fail(offsetof(FileHeader, checksum), fmt::format("header checksum {:#018x}", sum),
         fmt::format("{:#018x} (the header is damaged)", header.checksum));
  if (!std::has_single_bit(header.page_size) || header.page_size < format::kMinPageSize ||
      header.page_size > format::kMaxPageSize)
    fail(offsetof(FileHeader, page_size),
         fmt::format("a power of two from {} to {}", format::kMinPageSize, format::kMaxPageSize),
         fmt::format("page size {}", header.page_size));
  if (header.clock != format::Clock::tsc && header.clock != format::Clock::monotonic)
    fail(offsetof(FileHeader, clock), "clock 1 (tsc) or 2 (monotonic)",
         fmt::format("{}", static_cast<uint32_t>(header.clock)));
  if (header.time_shift > 32)
    fail(offsetof(FileHeader, time_shift), "a time shift of at most 32", fmt::format("{}", header.time_shift));
  if (header.pointer_bits != 64)
    fail(offsetof(FileHeader, pointer_bits), "pointers of 64 bits", fmt::format("{}", header.pointer_bits));
  return header;
}

const char* page_header_error(const PageHeader& head, uint64_t page, uint32_t page_size) {
  if (head.magic != format::kPageMagic) return "its magic is wrong";
  if (head.state > format::PageState::sealed) return "its state is unknown";
  if (head.header_bytes != sizeof(PageHeader)) return "its header has an unknown length";
  if (head.page_index != page) return "it carries another page's number";
  if (head.used > page_size - sizeof(PageHeader)) return "its length passes its end";
  if (head.kind == format::StreamKind{} || head.stream_id == 0) return "it names no stream";
  return nullptr;
}

}  // namespace memprof
