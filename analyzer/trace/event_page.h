// Reads the events of one page in order, a slice at a time: a page buffer and the reader's state are all it holds. Any
// page of a stream can be read alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trace/event.h"
#include "trace/event_reader.h"
#include "trace/trace_file.h"

namespace memprof {

class EventPage {
 public:
  // Of the page, events that were read before may be read over. One that cannot be used has none (and damage is noted).
  void open(const TraceFile& file, const PageEntry& page, uint32_t events_to_skip = 0);

  // Of the pages that are opened: types that the program gives to blocks are appended there.
  void note_block_types_in(std::vector<format::BlockType>* types) { reader_.note_block_types_in(types); }

  // The next events, times never going back within the page; both halves of a realloc or none. 0 at the end. `out`
  // holds at least 2.
  size_t read(std::span<Event> out);
  // read() has nothing more.
  bool is_at_end() const { return file_ == nullptr; }
  // Skipped ones included.
  uint32_t events_read() const { return events_read_; }

 private:
  void end();
  size_t skip(std::span<Event> read);

  const TraceFile* file_ = nullptr;  // null: nothing is left
  uint64_t page_ = 0;
  uint32_t events_read_ = 0;
  uint32_t events_to_skip_ = 0;
  uint64_t last_ticks_ = 0;
  EventReader reader_;
  std::vector<std::byte> buffer_;
};

}  // namespace memprof
