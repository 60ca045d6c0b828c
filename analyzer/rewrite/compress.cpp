#include "rewrite/compress.h"

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <future>
#include <thread>
#include <vector>

#include "memprof/compressed_trace.h"
#include "trace/file_header.h"
#include "trace/new_file.h"
#include "trace/page_group.h"

namespace memprof {

using format::CompressedFooter;
using format::CompressedHeader;
using format::FileHeader;
using format::GroupEntry;
using format::IndexedPage;
using format::PageHeader;

namespace {

using Bytes = std::vector<std::byte>;

// What a reader unpacks for one page, and what the columns share their codes over: 32 pages of 16 KiB. Half as much
// costs 2 % of the size, twice as much saves 2 %.
constexpr size_t kGroupBytes = size_t{1} << 19;
constexpr size_t kMostGroupPages = 4096;

template <class T>
void append_raw(Bytes& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// The header as the index of the trace found the trace, which may have grown since.
FileHeader header_of(const TraceFile& file) {
  FileHeader header = file.header();
  if (!file.closed_by_library()) header.page_count = std::max(header.page_count, file.page_count());
  return header;
}

uint64_t original_bytes(const TraceFile& file) {
  const uint64_t pages = (file.recorded_bytes() + file.page_size() - 1) / file.page_size();
  return file.page_count() > pages ? file.page_count() * file.page_size() : file.recorded_bytes();
}

// Every page that was written, as it was when the trace was opened, in the order in which they are stored: those of
// events last.
std::vector<IndexedPage> list_pages(const TraceFile& file) {
  tsl::robin_map<uint32_t, const PageEntry*> known;
  for (const PageEntry& entry : file.pages()) known.emplace(entry.page, &entry);
  const uint64_t size = original_bytes(file), page_size = file.page_size();
  const uint64_t count = std::min((size + page_size - 1) / page_size, format::kMaxPages);
  std::vector<IndexedPage> pages;
  for (uint64_t page = 1; page < count;
       page = std::max(page + 1, file.source().next_data((page + 1) * page_size) / page_size)) {
    PageHeader head{};
    int error = 0;
    file.source().read(page * page_size, std::as_writable_bytes(std::span(&head, 1)), error);
    const PageHeader nothing{};
    if (std::memcmp(&head, &nothing, sizeof head) == 0) continue;
    const auto found = known.find(static_cast<uint32_t>(page));
    const bool is_page = page_header_error(head, page, file.page_size()) == nullptr;
    // A page of the time since: what it names may not be in the trace.
    if (found == known.end() && is_page && head.used != 0) continue;
    if (found != known.end() && found->second->state == format::PageState::open) {
      head.state = format::PageState::open;
      head.used = found->second->used;
      head.checksum = 0;
    }
    const uint64_t behind_head = std::min(page * page_size + sizeof head, size);
    const uint64_t bytes = std::min(is_page ? head.used : page_size - sizeof head, size - behind_head);
    pages.push_back({head, static_cast<uint32_t>(page), static_cast<uint32_t>(bytes)});
  }
  std::stable_partition(pages.begin(), pages.end(),
                        [](const IndexedPage& page) { return page.head.kind != format::StreamKind::events; });
  return pages;
}

// How many of the pages make the next group.
size_t group_length(std::span<const IndexedPage> pages) {
  const auto is_events = [](const IndexedPage& page) { return page.head.kind == format::StreamKind::events; };
  uint64_t bytes = pages.front().bytes;
  size_t count = 1;
  while (count < std::min(pages.size(), kMostGroupPages) && is_events(pages[count]) == is_events(pages[0]) &&
         bytes + pages[count].bytes <= kGroupBytes)
    bytes += pages[count++].bytes;
  return count;
}

Bytes read_payloads(const TraceFile& file, std::span<const IndexedPage> pages) {
  Bytes payloads;
  for (const IndexedPage& page : pages) {
    const size_t at = payloads.size();
    payloads.resize(at + page.bytes);
    int error = 0;
    file.source().read(uint64_t{page.page} * file.page_size() + sizeof(PageHeader), std::span(payloads).subspan(at),
                       error);
    if (error != 0) file.damage().add_page(page.page, std::strerror(error));
  }
  return payloads;
}

Bytes pack(std::span<const IndexedPage> pages, const Bytes& payloads) {
  std::vector<PayloadShape> shapes;
  for (const IndexedPage& page : pages) shapes.push_back({page.head.kind == format::StreamKind::events, page.bytes});
  return pack_group(shapes, payloads);
}

Bytes index_bytes(const std::vector<GroupEntry>& groups, const std::vector<IndexedPage>& pages) {
  Bytes index;
  append_raw(index, uint64_t{groups.size()});
  append_raw(index, uint64_t{pages.size()});
  for (const GroupEntry& group : groups) append_raw(index, group);
  for (size_t byte = 0; byte < sizeof(IndexedPage); ++byte)
    for (const IndexedPage& page : pages) index.push_back(reinterpret_cast<const std::byte*>(&page)[byte]);
  return index;
}

// Writes from the front to the back.
class Appender {
 public:
  explicit Appender(NewFile& file) : file_(file) {}
  uint64_t size() const { return size_; }
  void append(std::span<const std::byte> bytes) {
    file_.write(size_, bytes);
    size_ += bytes.size();
  }

 private:
  NewFile& file_;
  uint64_t size_ = 0;
};

void append_head(const TraceFile& file, Appender& out) {
  CompressedHeader head{{}, format::kCompressedVersion, 0, original_bytes(file), 0};
  std::copy(std::begin(format::kCompressedMagic), std::end(format::kCompressedMagic), head.magic);
  Bytes bytes;
  append_raw(bytes, head);
  append_raw(bytes, header_of(file));
  head.checksum = XXH3_64bits(bytes.data(), bytes.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  out.append(bytes);
}

// Packs groups on all processors; they are written in their order.
std::vector<GroupEntry> append_groups(const TraceFile& file, std::span<const IndexedPage> pages, Appender& out,
                                      ProgressSink* progress) {
  struct Pending {
    size_t pages;
    std::future<Bytes> packed;
  };
  std::vector<GroupEntry> groups;
  std::deque<Pending> pending;
  const size_t most_pending = 2 * std::max(1u, std::thread::hardware_concurrency());
  size_t read = 0, written = 0;
  while (written < pages.size()) {
    if (read < pages.size() && pending.size() < most_pending) {
      const auto group = pages.subspan(read, group_length(pages.subspan(read)));
      read += group.size();
      pending.push_back({group.size(), std::async(std::launch::async, [group, payloads = read_payloads(file, group)] {
                           return pack(group, payloads);
                         })});
      continue;
    }
    const Bytes packed = pending.front().packed.get();
    const auto count = static_cast<uint32_t>(pending.front().pages);
    pending.pop_front();
    groups.push_back(
        {out.size(), static_cast<uint32_t>(packed.size()), count, XXH3_64bits(packed.data(), packed.size())});
    out.append(packed);
    written += count;
    if (progress) progress->advance(written, pages.size());
  }
  return groups;
}

void append_index(const std::vector<GroupEntry>& groups, const std::vector<IndexedPage>& pages, Appender& out) {
  const Bytes index = index_bytes(groups, pages);
  Bytes packed = pack_bytes(index);
  if (index.size() / format::kMostIndexRatio > packed.size()) packed = index;
  CompressedFooter footer{out.size(), packed.size(), index.size(), XXH3_64bits(packed.data(), packed.size()), {}};
  std::copy(std::begin(format::kFooterMagic), std::end(format::kFooterMagic), footer.magic);
  out.append(packed);
  out.append(std::as_bytes(std::span(&footer, 1)));
}

}  // namespace

void compress_trace(const TraceFile& file, const std::string& path, ProgressSink* progress) {
  NewFile to = NewFile::create(path);
  Appender out(to);
  const std::vector<IndexedPage> pages = list_pages(file);
  append_head(file, out);
  append_index(append_groups(file, pages, out, progress), pages, out);
  to.commit(out.size());
}

void decompress_trace(const TraceFile& file, const std::string& path, ProgressSink* progress) {
  NewFile to = NewFile::create(path);
  const uint64_t size = original_bytes(file), page_size = file.page_size();
  const FileHeader header = header_of(file);
  to.write(0, std::as_bytes(std::span(&header, 1)));
  Bytes bytes(page_size);
  uint64_t offset = page_size;
  while ((offset = file.source().next_data(offset)) < size) {
    const uint64_t page = offset / page_size;
    int error = 0;
    const size_t got = file.source().read(offset, bytes, error);
    if (error != 0) file.damage().add_page(page, "what the compressed trace holds of it is damaged");
    to.write(offset, std::span(bytes).first(got));
    offset += page_size;
    if (progress) progress->advance(page, size / page_size);
  }
  to.commit(size);
}

}  // namespace memprof
