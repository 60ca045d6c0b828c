#include "model/event_feed.h"

#include <tsl/robin_map.h>

#include <algorithm>

#include "model/past_cache.h"

namespace memprof {

namespace {

// Decoded events of all streams together, about; each takes 32 bytes and a stream has up to kAhead + 1 slices.
constexpr size_t kEventsAhead = 1u << 16;
constexpr uint32_t kLeastSlice = 256, kMostSlice = 1u << 14;

}  // namespace

EventFeed::EventFeed(const TraceFile& file) : file_(file) {
  tsl::robin_map<uint32_t, uint32_t> thread_of_serial;
  for (StreamPages pages : file.streams(format::StreamKind::events)) {
    const uint32_t serial = pages.front().thread_serial;
    const auto [found, is_new] = thread_of_serial.emplace(serial, static_cast<uint32_t>(threads_.size()));
    if (is_new) threads_.push_back({serial, pages.front().thread_id});
    // An event takes at least a byte, a realloc's two halves many.
    uint32_t most_events = 2;
    for (const PageEntry& page : pages) most_events = std::max(most_events, page.used);
    lanes_.push_back({.pages = pages, .thread = found->second, .most_events = most_events});
    page_count_ += pages.size();
  }
}

uint64_t EventFeed::pages_read() const {
  const std::lock_guard lock(mutex_);
  return pages_read_;
}

void EventFeed::start_at(uint32_t stream, StreamPosition position, uint64_t last_ticks) {
  const std::lock_guard lock(mutex_);
  Lane& lane = lanes_[stream];
  lane.start = position;
  lane.last_ticks = last_ticks;
  page_count_ -= std::min<uint64_t>(position.page, lane.pages.size());
}

// A stream that has not begun waits at its first page's time 0.
uint64_t EventFeed::start_key(uint32_t stream) const {
  const Lane& lane = lanes_[stream];
  const PageEntry& first = lane.pages.front();
  const uint32_t shift = file_.header().time_shift;
  const uint64_t lead = uint64_t{first.lead_units} << shift;
  const uint64_t start = first.base_ticks - std::min(first.base_ticks, lead + (uint64_t{1} << shift));
  return merge_key(std::min(std::max(start, lane.last_ticks), kMaxEventTicks), EventKind::release);
}

void EventFeed::want(Lane& lane, uint32_t stream, bool is_urgent) {
  if (lane.is_ended || lane.is_decoding || lane.is_queued || lane.ready.size() >= kAhead) return;
  lane.is_queued = true;
  is_urgent ? wanted_.push_front(stream) : wanted_.push_back(stream);
}

EventFeed::Next EventFeed::take(uint32_t stream, std::unique_ptr<Slice>& slice) {
  const std::lock_guard lock(mutex_);
  Lane& lane = lanes_[stream];
  if (lane.ready.empty()) {
    if (lane.is_ended) return Next::none;
    if (lane.is_queued) {  // to the front
      std::erase(wanted_, stream);
      lane.is_queued = false;
    }
    want(lane, stream, true);
    return Next::wanted;
  }
  slice = std::move(lane.ready.front());
  lane.ready.pop_front();
  want(lane, stream, false);
  return Next::ready;
}

void EventFeed::give_back(std::unique_ptr<Slice> slice) {
  const std::lock_guard lock(mutex_);
  if (spare_.size() < 16) spare_.push_back(std::move(slice));
}

std::optional<uint32_t> EventFeed::wanted_stream() {
  const std::lock_guard lock(mutex_);
  if (wanted_.empty()) return std::nullopt;
  const uint32_t stream = wanted_.front();
  wanted_.pop_front();
  Lane& lane = lanes_[stream];
  lane.is_queued = false;
  lane.is_decoding = true;
  if (!lane.reader) {
    lane.reader = std::make_unique<EventStream>(file_, lane.pages, lane.start, lane.last_ticks);
    ++begun_;
  }
  return stream;
}

// With the lock held.
std::unique_ptr<Slice> EventFeed::empty_slice(const Lane& lane) {
  const size_t share = std::clamp<size_t>(kEventsAhead / std::max<size_t>(begun_, 1), kLeastSlice, kMostSlice);
  const auto wanted = static_cast<uint32_t>(std::min<size_t>(share, lane.most_events));
  while (!spare_.empty()) {
    std::unique_ptr<Slice> slice = std::move(spare_.back());
    spare_.pop_back();
    // Those that are far too large are of a time with fewer streams.
    if (slice->capacity >= wanted && slice->capacity <= 2 * share) return slice;
  }
  return std::make_unique<Slice>(Slice{std::make_unique_for_overwrite<Event[]>(wanted), wanted, 0});
}

uint32_t EventFeed::read_slice(Lane& lane, Slice& slice, Scratch* scratch) {
  if (!scratch) return static_cast<uint32_t>(lane.reader->read({slice.events.get(), slice.capacity}));
  if (!*scratch) *scratch = std::make_unique_for_overwrite<Event[]>(kMostSlice);
  const size_t size = lane.reader->read({scratch->get(), std::min(slice.capacity, kMostSlice)});
  copy_past_cache(slice.events.get(), scratch->get(), size);
  return static_cast<uint32_t>(size);
}

void EventFeed::decode(uint32_t stream, Scratch* scratch) {
  Lane& lane = lanes_[stream];
  std::unique_ptr<Slice> slice;
  {
    const std::lock_guard lock(mutex_);
    slice = empty_slice(lane);
  }
  slice->size = read_slice(lane, *slice, scratch);
  slice->begin = lane.reader->position();
  slice->begin.events -= slice->size;
  const bool is_ended = slice->size == 0;
  const std::lock_guard lock(mutex_);
  const uint64_t pages_read = lane.reader->pages_read() - lane.start.page;
  pages_read_ += pages_read - lane.pages_read;
  lane.pages_read = pages_read;
  if (!is_ended) lane.ready.push_back(std::move(slice));
  lane.is_decoding = false;
  if (is_ended) {
    lane.is_ended = true;
    lane.reader.reset();
    --begun_;
  } else {
    want(lane, stream, false);
  }
}

}  // namespace memprof
