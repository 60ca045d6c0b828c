// Opens a trace, checks its header and indexes its pages. Everything else reads pages through it.
//
// A compressed trace is read as the one that was packed (page_source.h).
//
// Pages are read with pread into the caller's buffer, not mapped: the file may be shortened by somebody while it is
// read, and a mapped page that is gone is a SIGBUS. A page costs one more copy of its bytes, about 1 µs.
//
// The file may be growing. Its size, page_count and each page's `used` are read once, at opening; pages are append
// only, so what lies below `used` does not change afterwards. Stacks and modules pages are indexed after the events
// pages: a node is published before an event names it, so every event that is seen finds its nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "memprof/trace_format.h"
#include "trace/damage.h"
#include "trace/page_source.h"

namespace memprof {

struct PageEntry {
  uint64_t base_ticks;
  uint32_t page;  // its number in the file
  uint32_t used;
  uint32_t stream_id;
  uint32_t sequence;
  uint32_t thread_serial;
  uint32_t thread_id;
  uint32_t lead_units;
  format::StreamKind kind;
  format::PageState state;
};

// The pages of one stream, in order.
using StreamPages = std::span<const PageEntry>;

struct CalibrationPoint {
  uint64_t ticks = 0;
  uint64_t monotonic_ns = 0;
};

class TraceFile {
 public:
  // Both throw TraceError when the file cannot be read as a trace at all. The descriptor is taken over.
  static TraceFile open(const std::string& path);
  static TraceFile from_descriptor(int descriptor, std::string name);

  TraceFile(TraceFile&&) noexcept;
  TraceFile& operator=(TraceFile&&) noexcept;
  ~TraceFile();

  const std::string& name() const { return name_; }
  const format::FileHeader& header() const { return header_; }
  // Of the file; less than its pages take when it is compressed.
  uint64_t size_bytes() const { return source_->stored_bytes(); }
  bool is_compressed() const { return source_->is_compressed(); }
  // Of the trace as it was recorded, when it was opened.
  uint64_t recorded_bytes() const { return size_bytes_; }
  const PageSource& source() const { return *source_; }
  uint32_t page_size() const { return header_.page_size; }
  // Pages that are both claimed and in the file, the header page included.
  uint64_t page_count() const { return page_count_; }
  uint64_t unwritten_pages() const { return unwritten_pages_; }
  // Written ones that are not there, and leave no trace but their number. Of a closed file.
  uint64_t lost_pages() const;
  // FileFlags of the fixed and of the live part.
  uint32_t flags() const { return header_.flags | header_.live_flags; }
  bool closed_by_library() const;
  // Closed by the library, and nothing is damaged or missing as far as the pages read until now tell.
  bool complete() const;

  // All indexed pages, sorted by kind, stream, sequence.
  std::span<const PageEntry> pages() const { return pages_; }
  std::vector<StreamPages> streams(format::StreamKind kind) const;
  // The latest point that a page header holds; zero when there are no pages.
  CalibrationPoint last_page_point() const { return last_page_point_; }

  // Zero bytes that read_page leaves behind a payload: a decoder may run past the end by less and check afterwards.
  static constexpr size_t kPayloadPadding = 64;

  // Reads and checks a page; payload lies in `buffer` afterwards. False (and damage noted) when it is not usable.
  bool read_page(const PageEntry& entry, std::vector<std::byte>& buffer, std::span<const std::byte>& payload) const;

  // The bytes of a page as they are in the file, its header first, whatever they are worth. Returns how many there are.
  size_t read_raw(uint64_t page, std::span<std::byte> out) const;

  Damage& damage() const { return *damage_; }

 private:
  TraceFile(int descriptor, std::string name);

  // An errno value of the source as text.
  static std::string error_text(int error);
  void read_header();
  void check_live_part();
  void count_pages();
  void index_pages();
  uint64_t index_page_and_skip(uint64_t page, uint64_t end);
  bool index_page(uint64_t page, bool events_too);
  void find_gaps();
  void check_unread_kinds();
  uint64_t claimed_pages_now() const;
  [[noreturn]] void fail(uint64_t offset, std::string expected, std::string found) const;

  std::string name_;
  std::unique_ptr<PageSource> source_;
  format::FileHeader header_{};
  uint64_t size_bytes_ = 0;
  uint64_t page_count_ = 0;
  uint64_t unwritten_pages_ = 0;
  std::vector<PageEntry> pages_;
  CalibrationPoint last_page_point_;
  std::unique_ptr<Damage> damage_;
};

}  // namespace memprof
