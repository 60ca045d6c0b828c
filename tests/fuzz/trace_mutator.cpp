#include "trace_mutator.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "memprof/trace_format.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

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

size_t page_size_of(const uint8_t* data, size_t size) {
  if (size < sizeof(FileHeader)) return format::kMinPageSize;
  const uint32_t said = load<FileHeader>(data).page_size;
  const bool is_valid = std::has_single_bit(said) && said >= format::kMinPageSize && said <= format::kMaxPageSize;
  return is_valid ? said : format::kMinPageSize;
}

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

// Keeps the header of the page true to what it holds then.
void mutate_payload(uint8_t* page, size_t room) {
  auto head = load<PageHeader>(page);
  const size_t capacity = room - sizeof head;
  const size_t used = std::min<size_t>(head.used, capacity);
  head.used = static_cast<uint32_t>(LLVMFuzzerMutate(page + sizeof head, used, capacity));
  std::memcpy(page, &head, sizeof head);
}

void mutate_in_place(uint8_t* at, size_t bytes) {
  const size_t left = LLVMFuzzerMutate(at, bytes, bytes);
  std::memset(at + left, 0, bytes - left);
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

size_t mutate_trace(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  const size_t page_size = page_size_of(data, size);
  const size_t pages = size / page_size;
  const auto any_page = [&] { return data + page_size * (1 + random() % (pages - 1)); };
  const unsigned choice = random() % 16;
  if (pages < 2 || choice == 0) {
    size = LLVMFuzzerMutate(data, size, max_size);
  } else if (choice == 1) {
    mutate_in_place(data, sizeof(FileHeader));
  } else if (choice == 2) {
    std::memmove(any_page(), any_page(), page_size);
  } else if (choice == 3 && size + page_size <= max_size) {
    std::memmove(data + pages * page_size, any_page(), page_size);
    size = (pages + 1) * page_size;
  } else if (choice < 7) {
    mutate_in_place(any_page(), sizeof(PageHeader));
  } else {
    mutate_payload(any_page(), page_size);
  }
  if (random() % 8 != 0) seal_trace(data, size);
  return size;
}

}  // namespace memprof::fuzz
