#include "trace/event_stream.h"

#include <algorithm>

namespace memprof {

EventStream::EventStream(const TraceFile& file, StreamPages pages, StreamPosition start, uint64_t last_ticks)
    : file_(&file), pages_(pages), next_page_(start.page), events_to_skip_(start.events), last_ticks_(last_ticks) {}

bool EventStream::open_next_page() {
  while (next_page_ < pages_.size()) {
    const PageEntry& entry = pages_[next_page_++];
    events_of_page_ = 0;
    std::span<const std::byte> payload;
    if (!file_->read_page(entry, buffer_, payload)) continue;
    const format::FileHeader& header = file_->header();
    reader_.start(payload, {entry.base_ticks, entry.lead_units, header.time_shift, header.size_bias});
    return true;
  }
  return false;
}

size_t EventStream::read(std::span<Event> out) {
  for (;;) {
    if (!page_is_open_ && !open_next_page()) return 0;
    page_is_open_ = true;
    size_t count = reader_.read(out);
    if (count == 0) {
      if (reader_.is_damaged()) file_->damage().add_page(pages_[next_page_ - 1].page, "an event does not decode");
      page_is_open_ = false;
      continue;
    }
    events_of_page_ += static_cast<uint32_t>(count);
    if (events_to_skip_ != 0) count = skip(out.first(count));
    // The writer keeps stamps monotone within a page; a new page's base may lie before a stamp that was rounded up.
    for (Event& event : out.first(count))
      event.ticks = last_ticks_ = std::clamp(event.ticks, last_ticks_, kMaxEventTicks);
    if (count != 0) return count;
  }
}

// Returns how many are left, at the front of `read`.
size_t EventStream::skip(std::span<Event> read) {
  const size_t count = std::min<size_t>(events_to_skip_, read.size());
  std::move(read.begin() + static_cast<ptrdiff_t>(count), read.end(), read.begin());
  events_to_skip_ -= static_cast<uint32_t>(count);
  return read.size() - count;
}

StreamPosition EventStream::position() const {
  if (next_page_ == 0) return {};
  return {static_cast<uint32_t>(next_page_ - 1), events_of_page_};
}

}  // namespace memprof
