#include "trace/page_group.h"

#include <zstd.h>

#include <algorithm>
#include <stdexcept>

#include "trace/byte_reader.h"
#include "trace/event_columns.h"

namespace memprof {

namespace {

// Higher levels take twice the time for half a per cent.
constexpr int kLevel = 15;
// What is shorter has no room for a frame's header and its table of codes.
constexpr size_t kLeastPacked = 48;

void put_byte(std::vector<std::byte>& out, size_t value) { out.push_back(static_cast<std::byte>(value)); }

void put_varint(std::vector<std::byte>& out, size_t value) {
  for (; value >= 0x80; value >>= 7) put_byte(out, (value & 0x7f) | 0x80);
  put_byte(out, value);
}

auto& plain_column(EventColumns& columns) { return columns[static_cast<size_t>(format::Column::plain)]; }

struct StoredColumn {
  size_t column, raw_bytes, stored_bytes;
};

// False when the list of columns cannot be that of a group with so many raw bytes.
bool read_list(ByteReader& reader, size_t most_raw_bytes, std::vector<StoredColumn>& list) {
  uint8_t count;
  if (!reader.read(count)) return false;
  for (unsigned i = 0; i < count; ++i) {
    uint8_t column;
    uint64_t raw_bytes, stored_bytes;
    if (!reader.read(column) || !reader.read_varint(raw_bytes) || !reader.read_varint(stored_bytes)) return false;
    if (column >= format::kColumns || (!list.empty() && column <= list.back().column)) return false;
    if (raw_bytes > most_raw_bytes || stored_bytes > reader.remaining()) return false;
    most_raw_bytes -= raw_bytes;
    list.push_back({column, static_cast<size_t>(raw_bytes), static_cast<size_t>(stored_bytes)});
  }
  return true;
}

}  // namespace

std::vector<std::byte> pack_bytes(std::span<const std::byte> bytes) {
  std::vector<std::byte> packed(bytes.begin(), bytes.end());
  if (bytes.size() < kLeastPacked) return packed;
  std::vector<std::byte> frame(ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size)) throw std::runtime_error(ZSTD_getErrorName(size));
  if (size >= bytes.size()) return packed;
  frame.resize(size);
  return frame;
}

bool unpack_bytes(std::span<const std::byte> packed, std::span<std::byte> out) {
  if (packed.size() == out.size()) {
    std::copy(packed.begin(), packed.end(), out.begin());
    return true;
  }
  const size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  return !ZSTD_isError(size) && size == out.size();
}

std::vector<std::byte> pack_group(std::span<const PayloadShape> pages, std::span<const std::byte> payloads) {
  EventColumns columns;
  size_t at = 0;
  for (const PayloadShape& page : pages) {
    const auto payload = payloads.subspan(at, page.bytes);
    at += page.bytes;
    auto& plain = plain_column(columns);
    page.is_events ? split_events(payload, columns) : void(plain.insert(plain.end(), payload.begin(), payload.end()));
  }
  std::vector<std::byte> group, stored;
  put_byte(group, static_cast<size_t>(std::count_if(columns.begin(), columns.end(),
                                                    [](const auto& column) { return !column.empty(); })));
  for (size_t column = 0; column < columns.size(); ++column) {
    if (columns[column].empty()) continue;
    const std::vector<std::byte> packed = pack_bytes(columns[column]);
    put_byte(group, column);
    put_varint(group, columns[column].size());
    put_varint(group, packed.size());
    stored.insert(stored.end(), packed.begin(), packed.end());
  }
  group.insert(group.end(), stored.begin(), stored.end());
  group.resize(std::max(group.size(), payloads.size() / format::kMostGroupRatio + 1));
  return group;
}

bool unpack_group(std::span<const std::byte> group, std::span<const PayloadShape> pages,
                  std::span<std::byte> payloads) {
  if (payloads.size() > format::kMostGroupRatio * group.size()) return false;
  ByteReader reader(group);
  std::vector<StoredColumn> list;
  if (!read_list(reader, 2 * (payloads.size() + pages.size()), list)) return false;
  EventColumns columns;
  for (const StoredColumn& stored : list) {
    std::span<const std::byte> packed;
    columns[stored.column].resize(stored.raw_bytes);
    if (!reader.take(stored.stored_bytes, packed) || !unpack_bytes(packed, columns[stored.column])) return false;
  }
  EventJoiner joiner(columns);
  for (const PayloadShape& page : pages) {
    const auto payload = payloads.first(page.bytes);
    payloads = payloads.subspan(page.bytes);
    if (!(page.is_events ? joiner.join(payload) : joiner.take_plain(payload))) return false;
  }
  return joiner.is_done();
}

}  // namespace memprof
