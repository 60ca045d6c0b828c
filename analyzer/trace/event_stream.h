// Reads the events of one stream in order, a slice at a time: a page buffer and the reader's state are all it holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trace/event.h"
#include "trace/event_reader.h"
#include "trace/trace_file.h"

namespace memprof {

// Where in a stream: a page of it, and how many of that page's events lie before.
struct StreamPosition {
  uint32_t page = 0;
  uint32_t events = 0;
};

class EventStream {
 public:
  // Begins at `start`, of whose page the events before are read over. `last_ticks`: the time of the event before.
  EventStream(const TraceFile& file, StreamPages pages, StreamPosition start = {}, uint64_t last_ticks = 0);

  // The next events, times never going back; both halves of a realloc or none. 0 at the end of the stream. `out` holds
  // at least 2.
  size_t read(std::span<Event> out);
  // Pages that were begun.
  size_t pages_read() const { return next_page_; }
  // Behind the last event that was read.
  StreamPosition position() const;

 private:
  bool open_next_page();
  size_t skip(std::span<Event> read);

  const TraceFile* file_;
  StreamPages pages_;
  size_t next_page_;
  uint32_t events_of_page_ = 0;  // that were read
  uint32_t events_to_skip_;
  bool page_is_open_ = false;
  uint64_t last_ticks_;
  EventReader reader_;
  std::vector<std::byte> buffer_;
};

}  // namespace memprof
