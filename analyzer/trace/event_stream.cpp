#include "trace/event_stream.h"

#include <algorithm>

namespace memprof {

bool EventStream::open_next_page() {
  while (next_page_ < pages_.size()) {
    const PageEntry& entry = pages_[next_page_++];
    std::span<const std::byte> payload;
    if (!file_->read_page(entry, buffer_, payload)) continue;
    const format::FileHeader& header = file_->header();
    reader_.start(payload, {entry.base_ticks, entry.lead_units, header.time_shift, header.size_bias});
    return true;
  }
  return false;
}

std::span<const Event> EventStream::next_batch() {
  batch_.resize(kBatchEvents);
  for (;;) {
    if (!page_is_open_ && !open_next_page()) return {};
    page_is_open_ = true;
    const size_t count = reader_.read(batch_);
    if (count != 0) {
      // The writer keeps stamps monotone within a page; a new page's base may lie before a stamp that was rounded up.
      for (Event& event : std::span(batch_).first(count)) {
        event.ticks = last_ticks_ = std::clamp(event.ticks, last_ticks_, kMaxEventTicks);
      }
      return std::span(batch_).first(count);
    }
    if (reader_.is_damaged()) file_->damage().add_page(page().page, "an event does not decode");
    page_is_open_ = false;
  }
}

}  // namespace memprof
