#include "trace/event_page.h"

#include <algorithm>

namespace memprof {

void EventPage::open(const TraceFile& file, const PageEntry& page, uint32_t events_to_skip) {
  file_ = nullptr;
  page_ = page.page;
  events_read_ = 0;
  events_to_skip_ = events_to_skip;
  last_ticks_ = 0;
  std::span<const std::byte> payload;
  if (!file.read_page(page, buffer_, payload)) return;
  const format::FileHeader& header = file.header();
  reader_.start(payload, {page.base_ticks, page.lead_units, header.time_shift, header.size_bias});
  file_ = &file;
}

size_t EventPage::read(std::span<Event> out) {
  size_t count = 0;
  while (count == 0 && !is_at_end()) {
    count = reader_.read(out);
    events_read_ += static_cast<uint32_t>(count);
    if (reader_.is_at_end()) end();
    if (events_to_skip_ != 0) count = skip(out.first(count));
  }
  for (Event& event : out.first(count))
    event.ticks = last_ticks_ = std::clamp(event.ticks, last_ticks_, kMaxEventTicks);
  return count;
}

void EventPage::end() {
  if (reader_.is_damaged()) file_->damage().add_page(page_, "an event does not decode");
  file_ = nullptr;
}

// Returns how many are left, at the front of `read`.
size_t EventPage::skip(std::span<Event> read) {
  const size_t count = std::min<size_t>(events_to_skip_, read.size());
  std::move(read.begin() + static_cast<ptrdiff_t>(count), read.end(), read.begin());
  events_to_skip_ -= static_cast<uint32_t>(count);
  return read.size() - count;
}

}  // namespace memprof
