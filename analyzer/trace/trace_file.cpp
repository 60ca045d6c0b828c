#include "trace/trace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "trace/file_header.h"
#include "trace/trace_error.h"

namespace memprof {

using format::FileHeader;
using format::PageHeader;
using format::PageState;
using format::StreamKind;

TraceFile TraceFile::open(const std::string& path) {
  // O_NONBLOCK: a fifo must not hang the analyzer; it is refused below.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) throw TraceError(path, 0, "a readable trace file", std::strerror(errno));
  return TraceFile(descriptor, path);
}

TraceFile TraceFile::from_descriptor(int descriptor, std::string name) {
  return TraceFile(descriptor, std::move(name));
}

TraceFile::TraceFile(int descriptor, std::string name)
    : name_(std::move(name)), source_(open_page_source(descriptor, name_)), damage_(std::make_unique<Damage>()) {
  read_header();
  check_live_part();
  count_pages();
  index_pages();
}

TraceFile::TraceFile(TraceFile&&) noexcept = default;
TraceFile& TraceFile::operator=(TraceFile&&) noexcept = default;
TraceFile::~TraceFile() = default;

void TraceFile::fail(uint64_t offset, std::string expected, std::string found) const {
  throw TraceError(name_, offset, std::move(expected), std::move(found));
}

std::string TraceFile::error_text(int error) {
  return error == EBADMSG ? "what the compressed trace holds of it is damaged" : std::strerror(error);
}

void TraceFile::read_header() {
  size_bytes_ = source_->size_bytes();

  std::byte bytes[sizeof(FileHeader)];
  int error = 0;
  const size_t got = source_->read(0, bytes, error);
  if (error != 0) fail(got, "readable bytes", error_text(error));
  // end_state is stored last, so it is taken from the snapshot first; a second look at the live part, which a fence
  // parts from the first, then has the end pair that belongs to it (matches the release store of end_state).
  format::EndState end_state{};
  std::memcpy(&end_state, bytes + offsetof(FileHeader, end_state), sizeof end_state);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (got == sizeof bytes) source_->read(format::kFixedBytes, std::span(bytes).subspan(format::kFixedBytes), error);
  header_ = parse_file_header(name_, std::span(bytes).first(got), size_bytes_);
  header_.end_state = end_state;
}

void TraceFile::check_live_part() {
  const uint64_t claimed = header_.page_count & ~format::kPageCountClosed;
  if (claimed == 0 || claimed > format::kMaxPages)
    damage_->add_note(fmt::format("the header's page count is impossible ({})", claimed));
  if (header_.end_state > format::EndState::detached)
    damage_->add_note(fmt::format("the header's end state is unknown ({})", static_cast<uint32_t>(header_.end_state)));
  if (header_.invalid != 0) damage_->add_note("the recorder marked the trace invalid: a counter reached its limit");
}

bool TraceFile::closed_by_library() const {
  return header_.end_state != format::EndState::running && header_.end_state <= format::EndState::detached;
}

bool TraceFile::complete() const { return closed_by_library() && !damage_->any(); }

uint64_t TraceFile::lost_pages() const {
  const uint64_t known = pages_.size() + damage_->pages() + damage_->missing_pages();
  return closed_by_library() && header_.begun_pages > known ? header_.begun_pages - known : 0;
}

uint64_t TraceFile::claimed_pages_now() const {
  uint64_t count = 0;
  int error = 0;
  const auto bytes = std::as_writable_bytes(std::span(&count, 1));
  if (source_->read(offsetof(FileHeader, page_count), bytes, error) != bytes.size()) return 0;
  std::atomic_thread_fence(std::memory_order_acquire);
  return count & ~format::kPageCountClosed;
}

// Settles how many pages there are: what the header says that were claimed, as far as the file goes.
void TraceFile::count_pages() {
  const uint64_t in_file = std::min((size_bytes_ + page_size() - 1) / page_size(), format::kMaxPages);
  uint64_t claimed = header_.page_count & ~format::kPageCountClosed;
  if (claimed == 0 || claimed > format::kMaxPages) claimed = in_file;
  // A process that died leaves claimed pages unwritten, and the file may end before them; one that closed its file
  // does not.
  if (closed_by_library() && claimed > in_file) damage_->add_missing_pages(claimed - in_file);
  page_count_ = std::min(claimed, in_file);
}

void TraceFile::index_pages() {
  // A hostile count costs nothing: only pages that are really there, with the right magic, get an entry.
  for (uint64_t page = 1; page < page_count_;) page = index_page_and_skip(page, page_count_);

  const uint64_t in_file = std::min((size_bytes_ + page_size() - 1) / page_size(), format::kMaxPages);
  if (closed_by_library()) {
    // Nothing is written after the end, so a page behind the count proves the count wrong.
    const uint64_t counted = page_count_;
    for (uint64_t page = counted; page < in_file;) {
      const size_t written_before = pages_.size();
      const uint64_t next = index_page_and_skip(page, in_file);
      if (pages_.size() != written_before && page_count_ == counted) {
        damage_->add_note(fmt::format("the header counts {} pages, but page {} is written", counted, page));
        page_count_ = in_file;
      }
      page = next;
    }
  } else {
    // Stacks and modules that were written while the events were indexed; events of that time are left alone.
    const uint64_t pages_now = std::min(claimed_pages_now(), source_->size_bytes() / page_size());
    for (uint64_t page = page_count_; page < std::min(pages_now, format::kMaxPages); ++page)
      if (index_page(page, false)) page_count_ = std::max(page_count_, page + 1);
  }
  std::sort(pages_.begin(), pages_.end(), [](const PageEntry& a, const PageEntry& b) {
    return std::tie(a.kind, a.stream_id, a.sequence, a.page) < std::tie(b.kind, b.stream_id, b.sequence, b.page);
  });
  find_gaps();
  if (const uint64_t lost = lost_pages(); lost != 0)
    damage_->add_note(fmt::format("{} of {} written pages are gone", lost, header_.begun_pages));
  check_unread_kinds();
}

// The page to go on with: behind the hole that an unwritten page lies in, if the file says that it is one. A file
// reserved far ahead, or a hostile sparse one, would cost a read for each page of nothing.
uint64_t TraceFile::index_page_and_skip(uint64_t page, uint64_t end) {
  if (index_page(page, true)) return page + 1;
  uint64_t next = std::max(page + 1, source_->next_data((page + 1) * page_size()) / page_size());
  next = std::min(next, end);
  unwritten_pages_ += next - page - 1;
  return next;
}

// True when the page is written.
bool TraceFile::index_page(uint64_t page, bool events_too) {
  PageHeader head;
  int error = 0;
  const auto bytes = std::as_writable_bytes(std::span(&head, 1));
  const size_t got = source_->read(page * page_size(), bytes, error);
  // Orders this read of `used` before every later read of payload; matches the writer's release store of `used`.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (error != 0) {
    damage_->add_page(page, error_text(error));
    return false;
  }
  if (got < sizeof head) {
    // The file ends inside the page. Zeros (or nothing) are a page never written.
    std::memset(bytes.data() + got, 0, bytes.size() - got);
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; }))
      damage_->add_page(page, "the file ends inside its header");
    else
      ++unwritten_pages_;
    return false;
  }
  if (head.state == PageState::unwritten && head.used == 0) {
    ++unwritten_pages_;
    return false;
  }
  if (const char* why = page_header_error(head, page, page_size())) {
    damage_->add_page(page, why);
    return false;
  }
  // A state that was never stored over a length that was: the state byte is what is wrong, and nothing says whether
  // the rest is right.
  if (head.state == PageState::unwritten) {
    damage_->add_page(page, "its state says unwritten, its length does not");
    return false;
  }
  if (head.base_ticks > last_page_point_.ticks) last_page_point_ = {head.base_ticks, head.base_monotonic_ns};
  if (head.kind == StreamKind::events && !events_too) return true;
  pages_.push_back({head.base_ticks, static_cast<uint32_t>(page), head.used, head.stream_id, head.sequence,
                    head.thread_serial, head.thread_id, head.lead_units, head.kind, head.state});
  return true;
}

// A page that is gone from the middle of a stream was written once: only damage takes it away.
void TraceFile::find_gaps() {
  const PageEntry* previous = nullptr;
  for (const PageEntry& entry : pages_) {
    const bool same_stream = previous && previous->kind == entry.kind && previous->stream_id == entry.stream_id;
    const uint64_t expected = same_stream ? uint64_t{previous->sequence} + 1 : 0;
    if (same_stream && entry.sequence == previous->sequence)
      damage_->add_page(entry.page, fmt::format("its place in the stream is that of page {}", previous->page));
    else if (entry.sequence != expected && damage_->pages() == 0 && closed_by_library())
      damage_->add_note(
          fmt::format("page {} is number {} of its stream, expected {}", entry.page, entry.sequence, expected));
    previous = &entry;
  }
}

// Pages of kinds that nothing here reads: of a later library, or of a known kind whose byte is damaged. The checksum
// tells which.
void TraceFile::check_unread_kinds() {
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  for (const PageEntry& entry : pages_)
    if (entry.kind > StreamKind::samples) read_page(entry, buffer, payload);
}

std::vector<StreamPages> TraceFile::streams(StreamKind kind) const {
  std::vector<StreamPages> result;
  size_t begin = 0;
  for (size_t i = 0; i <= pages_.size(); ++i) {
    const bool ends =
        i == pages_.size() ||
        (i > begin && (pages_[i].kind != pages_[begin].kind || pages_[i].stream_id != pages_[begin].stream_id));
    if (!ends) continue;
    if (i > begin && pages_[begin].kind == kind) result.push_back(std::span(pages_).subspan(begin, i - begin));
    begin = i;
  }
  return result;
}

size_t TraceFile::read_raw(uint64_t page, std::span<std::byte> out) const {
  int error = 0;
  return source_->read(page * page_size(), out, error);
}

bool TraceFile::read_page(const PageEntry& entry, std::vector<std::byte>& buffer,
                          std::span<const std::byte>& payload) const {
  const size_t wanted = sizeof(PageHeader) + entry.used;
  buffer.assign(wanted + kPayloadPadding, std::byte{0});
  int error = 0;
  const size_t got = source_->read(uint64_t{entry.page} * page_size(), std::span(buffer).first(wanted), error);
  if (error != 0 || got < sizeof(PageHeader)) {
    damage_->add_page(entry.page, error != 0 ? error_text(error) : "the file ends inside it");
    return false;
  }
  PageHeader head;
  std::memcpy(&head, buffer.data(), sizeof head);
  // Sealed when it was indexed: whole and checked. Sealed since: its checksum covers more than `used` said then.
  if (entry.state == PageState::sealed) {
    if (got < wanted) {
      damage_->add_page(entry.page, "the file ends inside it");
      return false;
    }
    // The checksum is of the page as it was while it was open.
    const uint64_t stored = head.checksum;
    head.checksum = 0;
    head.state = PageState::open;
    std::memcpy(buffer.data(), &head, sizeof head);
    if (XXH3_64bits(buffer.data(), wanted) != stored) {
      damage_->add_page(entry.page, "its checksum does not match");
      return false;
    }
  } else if (got < wanted) {
    // Open pages have no checksum: what is there can be read, the rest is gone.
    damage_->add_page(entry.page, "the file ends inside it");
  }
  payload = std::span<const std::byte>(buffer).first(got).subspan(sizeof(PageHeader));
  return true;
}

}  // namespace memprof
