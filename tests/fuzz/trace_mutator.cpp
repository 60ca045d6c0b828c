#include "trace_mutator.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "memprof/trace_format.h"
#include "trace_seal.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace memprof::fuzz {

using format::FileHeader;
using format::PageHeader;

namespace {

// Keeps the header of the page true to what it holds then.
void mutate_payload(uint8_t* page, size_t room) {
  PageHeader head;
  std::memcpy(&head, page, sizeof head);
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
