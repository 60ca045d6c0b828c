#include "trace/compressed_pages.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "trace/byte_reader.h"
#include "trace/file_header.h"
#include "trace/read_bytes.h"
#include "trace/trace_error.h"

namespace memprof {

using format::CompressedFooter;
using format::CompressedHeader;
using format::FileHeader;
using format::GroupEntry;
using format::IndexedPage;
using format::PageHeader;

namespace {

constexpr uint64_t kHeadBytes = sizeof(CompressedHeader) + sizeof(FileHeader);

// The part of a page that lies at `begin` in it and that `out`, which begins at `at` in it, wants.
void copy_overlap(std::span<const std::byte> part, size_t begin, std::span<std::byte> out, size_t at) {
  const size_t from = std::max(begin, at), to = std::min(begin + part.size(), at + out.size());
  if (from < to)
    std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(from - begin), to - from,
                out.begin() + static_cast<std::ptrdiff_t>(from - at));
}

}  // namespace

struct CompressedPages::Unpacked {
  explicit Unpacked(uint32_t its_number) : number(its_number) {}

  const uint32_t number;
  std::once_flag once;
  bool is_good = false;
  std::vector<std::byte> payloads;
};

bool CompressedPages::is_compressed(int descriptor) {
  unsigned char magic[sizeof format::kCompressedMagic];
  int error = 0;
  return read_bytes(descriptor, 0, std::as_writable_bytes(std::span(magic)), error) == sizeof magic &&
         std::memcmp(magic, format::kCompressedMagic, sizeof magic) == 0;
}

CompressedPages::CompressedPages(FileDescriptor file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {
  struct stat status;
  if (::fstat(file_.get(), &status) != 0) fail(0, "a readable trace file", std::strerror(errno));
  stored_bytes_ = static_cast<uint64_t>(status.st_size);
  read_header();
  CompressedFooter footer;
  const std::vector<std::byte> index = read_index(footer);
  const uint64_t at = footer.index_offset;
  ByteReader reader(index);
  uint64_t groups, pages;
  std::span<const std::byte> entries, planes;
  if (!reader.read(groups) || !reader.read(pages) || groups > index.size() || pages > index.size() ||
      !reader.take(groups * sizeof(GroupEntry), entries) || !reader.take(pages * sizeof(IndexedPage), planes) ||
      !reader.at_end())
    fail(at, "an index of groups and pages", "another length");
  read_pages(planes);
  read_groups(entries, pages, at);
  std::sort(pages_.begin(), pages_.end(), [](const Page& a, const Page& b) { return a.page < b.page; });
  const auto twice =
      std::adjacent_find(pages_.begin(), pages_.end(), [](const Page& a, const Page& b) { return a.page == b.page; });
  if (twice != pages_.end()) fail(at, "each page once in the index", fmt::format("page {} twice", twice->page));
}

CompressedPages::~CompressedPages() = default;

void CompressedPages::fail(uint64_t offset, std::string expected, std::string found) const {
  throw TraceError(name_, offset, std::move(expected), std::move(found));
}

void CompressedPages::read_part(uint64_t offset, std::span<std::byte> out) const {
  int error = 0;
  if (read_bytes(file_.get(), offset, out, error) != out.size())
    fail(offset, "the rest of a compressed trace", error != 0 ? std::strerror(error) : "the end of the file");
}

void CompressedPages::read_header() {
  std::byte bytes[kHeadBytes];
  read_part(0, bytes);
  CompressedHeader head;
  std::memcpy(&head, bytes, sizeof head);
  if (head.version == 0 || head.version > format::kCompressedVersion)
    fail(offsetof(CompressedHeader, version),
         fmt::format("compression version 1 to {} (a newer memprof-analyze may read it)", format::kCompressedVersion),
         fmt::format("version {}", head.version));
  const uint64_t stored = std::exchange(head.checksum, 0);
  std::memcpy(bytes, &head, sizeof head);
  if (const uint64_t sum = XXH3_64bits(bytes, sizeof bytes); sum != stored)
    fail(offsetof(CompressedHeader, checksum), fmt::format("header checksum {:#018x}", sum),
         fmt::format("{:#018x} (the header is damaged)", stored));
  original_bytes_ = head.original_bytes;
  header_ = parse_file_header(name_, std::span(bytes).subspan(sizeof head), original_bytes_);
}

std::vector<std::byte> CompressedPages::read_index(CompressedFooter& footer) const {
  const uint64_t end = stored_bytes_ - std::min<uint64_t>(stored_bytes_, sizeof footer);
  read_part(end, std::as_writable_bytes(std::span(&footer, 1)));
  if (std::memcmp(footer.magic, format::kFooterMagic, sizeof footer.magic) != 0)
    fail(end, "the end of a compressed trace", "other bytes (was the file cut?)");
  if (footer.index_offset < kHeadBytes || footer.index_offset > end || footer.index_bytes != end - footer.index_offset)
    fail(end, "the place of the index", fmt::format("{} bytes at {}", footer.index_bytes, footer.index_offset));
  if (footer.index_raw_bytes / format::kMostIndexRatio > footer.index_bytes)
    fail(end + offsetof(CompressedFooter, index_raw_bytes),
         fmt::format("an index of at most {} times {} bytes", format::kMostIndexRatio, footer.index_bytes),
         fmt::format("{}", footer.index_raw_bytes));
  std::vector<std::byte> packed(footer.index_bytes), index(footer.index_raw_bytes);
  read_part(footer.index_offset, packed);
  if (XXH3_64bits(packed.data(), packed.size()) != footer.index_checksum || !unpack_bytes(packed, index))
    fail(footer.index_offset, "the index of a compressed trace", "a damaged one");
  return index;
}

// From planes of bytes to headers.
void CompressedPages::read_pages(std::span<const std::byte> planes) {
  const size_t count = planes.size() / sizeof(IndexedPage);
  pages_.resize(count);
  shapes_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    std::byte bytes[sizeof(IndexedPage)];
    for (size_t byte = 0; byte < sizeof bytes; ++byte) bytes[byte] = planes[byte * count + i];
    IndexedPage page;
    std::memcpy(&page, bytes, sizeof page);
    pages_[i] = {page.head, page.page, page.bytes, 0, 0};
    shapes_[i] = {page.head.kind == format::StreamKind::events, page.bytes};
  }
}

void CompressedPages::read_groups(std::span<const std::byte> entries, uint64_t page_count, uint64_t end) {
  const uint64_t most_payload = header_.page_size - sizeof(PageHeader);
  uint64_t offset = kHeadBytes, page = 0;
  ByteReader reader(entries);
  for (GroupEntry entry; reader.read(entry);) {
    Group group{entry, static_cast<uint32_t>(page), 0};
    if (entry.offset != offset || entry.stored_bytes > end - offset || entry.pages == 0 ||
        entry.pages > page_count - page)
      fail(offset, "a group of pages here", fmt::format("{} bytes at {}", entry.stored_bytes, entry.offset));
    uint64_t payloads = 0;
    for (const uint64_t last = page + entry.pages; page < last; ++page) {
      Page& its = pages_[page];
      if (its.page == 0 || its.bytes > most_payload || payloads + its.bytes > format::kMostGroupBytes)
        fail(offset, "a page of the trace", fmt::format("{} bytes of page {}", its.bytes, its.page));
      its.group = static_cast<uint32_t>(groups_.size());
      its.offset = static_cast<uint32_t>(payloads);
      payloads += its.bytes;
    }
    if (payloads > uint64_t{format::kMostGroupRatio} * entry.stored_bytes)
      fail(offset, fmt::format("a group of at most {} times its bytes", format::kMostGroupRatio),
           fmt::format("{} bytes in {}", payloads, entry.stored_bytes));
    group.payload_bytes = static_cast<uint32_t>(payloads);
    groups_.push_back(group);
    offset += entry.stored_bytes;
  }
  if (page != page_count || offset != end) fail(offset, "the index behind the last group", "something else");
}

const CompressedPages::Page* CompressedPages::find(uint64_t page) const {
  const auto found = std::lower_bound(pages_.begin(), pages_.end(), page,
                                      [](const Page& a, uint64_t number) { return a.page < number; });
  return found != pages_.end() && found->page == page ? &*found : nullptr;
}

uint64_t CompressedPages::next_data(uint64_t offset) const {
  const uint64_t page = offset / header_.page_size;
  if (page == 0) return offset;
  const auto found = std::lower_bound(pages_.begin(), pages_.end(), page,
                                      [](const Page& a, uint64_t number) { return a.page < number; });
  if (found == pages_.end()) return std::numeric_limits<uint64_t>::max();
  return std::max(offset, uint64_t{found->page} * header_.page_size);
}

size_t CompressedPages::read(uint64_t offset, std::span<std::byte> out, int& error) const {
  error = 0;
  if (offset >= original_bytes_) return 0;
  out = out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), original_bytes_ - offset)));
  std::fill(out.begin(), out.end(), std::byte{0});
  const uint64_t number = offset / header_.page_size;
  const auto at = static_cast<size_t>(offset % header_.page_size);
  if (number == 0) {
    copy_overlap(std::as_bytes(std::span(&header_, 1)), 0, out, at);
    return out.size();
  }
  const Page* page = find(number);
  if (!page) return out.size();
  copy_overlap(std::as_bytes(std::span(&page->head, 1)), 0, out, at);
  if (at + out.size() <= sizeof(PageHeader) || page->bytes == 0) return out.size();
  const std::shared_ptr<const Unpacked> group = unpacked(page->group);
  if (!group->is_good) {
    error = EBADMSG;
    return 0;
  }
  copy_overlap(std::span(group->payloads).subspan(page->offset, page->bytes), sizeof(PageHeader), out, at);
  return out.size();
}

std::shared_ptr<const CompressedPages::Unpacked> CompressedPages::unpacked(uint32_t number) const {
  std::shared_ptr<Unpacked> group;
  {
    const std::lock_guard lock(mutex_);
    auto place =
        std::find_if(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept && kept->number == number; });
    if (place == kept_.end()) {
      --place;
      *place = std::make_shared<Unpacked>(number);
    }
    std::rotate(kept_.begin(), place, place + 1);
    group = kept_.front();
  }
  std::call_once(group->once, [&] { unpack(number, *group); });
  return group;
}

void CompressedPages::unpack(uint32_t number, Unpacked& out) const {
  const Group& group = groups_[number];
  std::vector<std::byte> stored(group.entry.stored_bytes);
  int error = 0;
  if (read_bytes(file_.get(), group.entry.offset, stored, error) != stored.size()) return;
  if (XXH3_64bits(stored.data(), stored.size()) != group.entry.checksum) return;
  out.payloads.resize(group.payload_bytes);
  out.is_good = unpack_group(stored, std::span(shapes_).subspan(group.first_page, group.entry.pages), out.payloads);
}

}  // namespace memprof
