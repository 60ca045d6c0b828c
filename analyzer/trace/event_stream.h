// Reads the events of one stream in order, a small batch at a time: the page buffer and the batch are all it holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trace/event.h"
#include "trace/event_reader.h"
#include "trace/trace_file.h"

namespace memprof {

class EventStream {
 public:
  EventStream(const TraceFile& file, StreamPages pages) : file_(&file), pages_(pages) {}

  // The next events, times never going back. Empty at the end of the stream. Valid until the next call.
  std::span<const Event> next_batch();
  // Of the page that the last batch came from.
  const PageEntry& page() const { return pages_[next_page_ == 0 ? 0 : next_page_ - 1]; }
  size_t pages_read() const { return next_page_; }

 private:
  bool open_next_page();

  // A realloc's halves stay together, so a batch holds at least two. Small: thousands of streams may be open.
  static constexpr size_t kBatchEvents = 256;

  const TraceFile* file_;
  StreamPages pages_;
  size_t next_page_ = 0;
  bool page_is_open_ = false;
  uint64_t last_ticks_ = 0;
  EventReader reader_;
  std::vector<std::byte> buffer_;
  std::vector<Event> batch_;
};

}  // namespace memprof
