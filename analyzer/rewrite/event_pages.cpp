#include "rewrite/event_pages.h"

#include <algorithm>
#include <utility>

namespace memprof {

void EventPages::add(const Event& event, NewTraceFile& out) {
  if (held_) {
    const Event release = *std::exchange(held_, std::nullopt);
    if (event.kind == EventKind::allocation && event.continues) return write(release, &event, out);
    write(release, nullptr, out);
  }
  if (event.kind == EventKind::release)
    held_ = event;
  else
    write(event, nullptr, out);
}

void EventPages::write(const Event& event, const Event* continuation, NewTraceFile& out) {
  if (has_page_ && (payload_.size() + EventWriter::kMostBytes > out.payload_capacity() || !writer_.reaches(event)))
    seal(out);
  if (!has_page_) begin_page(event.ticks);
  continuation ? writer_.write_realloc(event, *continuation, payload_) : writer_.write(event, payload_);
}

// The pair of clocks in a page header is a measurement: it is that of the page that was open at the time.
void EventPages::begin_page(uint64_t ticks) {
  const uint32_t shift = file_.header().time_shift;
  const auto begins_before = [&](const PageEntry& page) {
    const uint64_t units = page.base_ticks >> shift;
    return units - std::min<uint64_t>(units, page.lead_units) <= ticks >> shift;
  };
  const auto behind = std::partition_point(pages_.begin(), pages_.end(), begins_before);
  const PageEntry& like = behind == pages_.begin() ? *behind : *std::prev(behind);
  int error = 0;
  file_.source().read(uint64_t{like.page} * file_.page_size(), std::as_writable_bytes(std::span(&head_, 1)), error);
  head_.kind = format::StreamKind::events;
  head_.stream_id = like.stream_id;
  head_.thread_serial = like.thread_serial;
  head_.thread_id = like.thread_id;
  head_.base_ticks = like.base_ticks;
  head_.lead_units = like.lead_units;
  head_.sequence = next_sequence_++;
  writer_.start({head_.base_ticks, head_.lead_units, shift, file_.header().size_bias});
  has_page_ = true;
}

void EventPages::seal(NewTraceFile& out) {
  out.append(head_, payload_);
  payload_.clear();
  has_page_ = false;
}

void EventPages::finish(NewTraceFile& out) {
  if (held_) write(*std::exchange(held_, std::nullopt), nullptr, out);
  if (next_sequence_ == 0) begin_page(0);
  if (has_page_) seal(out);
}

}  // namespace memprof
