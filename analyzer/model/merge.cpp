#include "model/merge.h"

#include <tsl/robin_map.h>

#include <algorithm>

namespace memprof {

Merge::Merge(const TraceFile& file) : file_(file) {
  tsl::robin_map<uint32_t, uint32_t> thread_of_serial;
  for (StreamPages pages : file.streams(format::StreamKind::events)) {
    const uint32_t serial = pages.front().thread_serial;
    const auto [found, is_new] = thread_of_serial.emplace(serial, static_cast<uint32_t>(threads_.size()));
    if (is_new) threads_.push_back({serial, pages.front().thread_id});
    const auto index = static_cast<uint32_t>(streams_.size());
    streams_.push_back({pages, found->second, nullptr, {}, 0});
    // A stream that has not begun waits at its first page's time 0, before which none of its events can lie.
    const PageEntry& first = pages.front();
    const uint64_t lead = uint64_t{first.lead_units} << file.header().time_shift;
    const uint64_t start =
        first.base_ticks - std::min(first.base_ticks, lead + (uint64_t{1} << file.header().time_shift));
    heap_.push_back({merge_key(std::min(start, kMaxEventTicks), EventKind::release), index});
    page_count_ += pages.size();
  }
  std::make_heap(heap_.begin(), heap_.end());
}

bool Merge::refill(Stream& stream) {
  if (!stream.reader) stream.reader = std::make_unique<EventStream>(file_, stream.pages);
  const size_t before = stream.reader->pages_read();
  stream.batch = stream.reader->next_batch();
  stream.position = 0;
  pages_read_ += stream.reader->pages_read() - before;
  if (stream.batch.empty()) stream.reader.reset();
  return stream.reader != nullptr;
}

void Merge::push(uint32_t stream, uint64_t key) {
  heap_.push_back({key, stream});
  std::push_heap(heap_.begin(), heap_.end());
}

bool Merge::next(Run& run) {
  if (current_ != kNone) {
    Stream& stream = streams_[current_];
    if (stream.position < stream.batch.size() || refill(stream)) {
      const Event& head = stream.batch[stream.position];
      push(current_, merge_key(head.ticks, head.kind));
    }
    current_ = kNone;
  }
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end());
    const Head top = heap_.back();
    heap_.pop_back();
    Stream& stream = streams_[top.stream];
    if (!stream.reader) {
      if (refill(stream)) push(top.stream, merge_key(stream.batch[0].ticks, stream.batch[0].kind));
      continue;
    }
    // As far as this stream stays ahead of all others. In-stream order is kept even where keys go back (a block
    // allocated and freed within one tick).
    const uint64_t limit = heap_.empty() ? UINT64_MAX : heap_.front().key;
    const std::span<const Event> rest = stream.batch.subspan(stream.position);
    size_t count = 1;
    while (count < rest.size() && merge_key(rest[count].ticks, rest[count].kind) <= limit) ++count;
    stream.position += count;
    current_ = top.stream;
    run = {rest.first(count), top.stream, stream.thread};
    return true;
  }
  return false;
}

}  // namespace memprof
