#include "trace/new_trace_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace memprof {

using format::FileHeader;
using format::PageHeader;

NewTraceFile NewTraceFile::create(const std::string& path, const FileHeader& like, Temporary temporary) {
  return NewTraceFile(NewFile::create(path, temporary), like);
}

NewTraceFile::NewTraceFile(NewFile file, const FileHeader& like) : file_(std::move(file)), header_(like) {}

void NewTraceFile::append(PageHeader head, std::span<const std::byte> payload) {
  if (payload.size() > payload_capacity()) throw std::length_error("a payload is larger than a page");
  head.magic = format::kPageMagic;
  head.state = format::PageState::open;  // what the checksum is of
  head.header_bytes = sizeof head;
  head.page_index = next_page_;
  head.used = static_cast<uint32_t>(payload.size());
  head.checksum = 0;
  std::vector<std::byte> page(sizeof head + payload.size());
  std::memcpy(page.data(), &head, sizeof head);
  std::copy(payload.begin(), payload.end(), page.begin() + sizeof head);
  head.checksum = XXH3_64bits(page.data(), page.size());
  content_hash_ = XXH3_64bits_withSeed(&head.checksum, sizeof head.checksum, content_hash_);
  head.state = format::PageState::sealed;
  std::memcpy(page.data(), &head, sizeof head);
  copy(next_page_, page);
  ++header_.begun_pages;
}

void NewTraceFile::copy(uint64_t page, std::span<const std::byte> bytes) {
  if (bytes.size() > header_.page_size || page == 0) throw std::length_error("this is no page");
  if (page >= format::kMaxPages) file_.fail("it has too many pages");
  file_.write(page * header_.page_size, bytes);
  next_page_ = std::max(next_page_, page + 1);
}

void NewTraceFile::commit(uint64_t missing_pages) {
  header_.page_count = (next_page_ + missing_pages) | (header_.page_count & format::kPageCountClosed);
  header_.checksum = 0;
  header_.checksum = XXH3_64bits(&header_, format::kFixedBytes);
  file_.write(0, std::as_bytes(std::span(&header_, 1)));
  file_.commit(next_page_ * header_.page_size);
}

}  // namespace memprof
