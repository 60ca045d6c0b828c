#include "trace_seal.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "memprof/trace_format.h"

namespace memprof::fuzz {

using format::FileHeader;
using format::PageHeader;
using format::PageState;

namespace {

template <class T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

size_t page_size_of(const uint8_t* data, size_t size) {
  if (size < sizeof(FileHeader)) return format::kMinPageSize;
  const uint32_t said = load<FileHeader>(data).page_size;
  const bool is_valid = std::has_single_bit(said) && said >= format::kMinPageSize && said <= format::kMaxPageSize;
  return is_valid ? said : format::kMinPageSize;
}

namespace {

void seal_page(uint8_t* at, size_t room, uint64_t number) {
  auto head = load<PageHeader>(at);
  if (head.state != PageState::sealed || head.used > room - sizeof head) return;
  head.page_index = number;
  head.checksum = 0;
  head.state = PageState::open;
  std::memcpy(at, &head, sizeof head);
  head.checksum = XXH3_64bits(at, sizeof head + head.used);
  head.state = PageState::sealed;
  std::memcpy(at, &head, sizeof head);
}

}  // namespace

void seal_trace(uint8_t* data, size_t size) {
  if (size < sizeof(FileHeader)) return;
  auto header = load<FileHeader>(data);
  header.checksum = 0;
  header.checksum = XXH3_64bits(&header, format::kFixedBytes);
  std::memcpy(data, &header, sizeof header);
  const size_t page_size = page_size_of(data, size);
  for (size_t at = page_size; at + sizeof(PageHeader) <= size; at += page_size)
    seal_page(data + at, std::min(page_size, size - at), at / page_size);
}

}  // namespace memprof::fuzz
