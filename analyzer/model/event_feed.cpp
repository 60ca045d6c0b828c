#include "model/event_feed.h"

#include <tsl/robin_map.h>

#include <algorithm>
#include <utility>

#include "model/past_cache.h"

namespace memprof {

namespace {

// Decoded events of all streams together, about; each takes 32 bytes and a stream has up to kAhead + 1 slices.
constexpr size_t kEventsAhead = 1u << 16;
constexpr size_t kMostSpare = 16;  // slices
constexpr uint32_t kLeastSlice = 256, kMostSlice = 1u << 14;

// An event takes at least a byte, a realloc's two halves many; there is to be room for two more.
uint32_t most_events(uint32_t bytes) { return bytes + 2; }

}  // namespace

EventFeed::EventFeed(const TraceFile& file) : file_(file) {
  tsl::robin_map<uint32_t, uint32_t> thread_of_serial;
  for (StreamPages pages : file.streams(format::StreamKind::events)) {
    const uint32_t serial = pages.front().thread_serial;
    const auto [found, is_new] = thread_of_serial.emplace(serial, static_cast<uint32_t>(threads_.size()));
    if (is_new) threads_.push_back({serial, pages.front().thread_id});
    uint32_t most_bytes = 0;
    for (const PageEntry& page : pages) most_bytes = std::max(most_bytes, page.used);
    lanes_.push_back({.pages = pages, .thread = found->second, .most_bytes = most_bytes});
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
  lane.next_page = position.page;
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

EventFeed::PageRead* EventFeed::idle_read(const Lane& lane) {
  for (const std::unique_ptr<PageRead>& read : lane.reads)
    if (!read->is_done && !read->is_decoding) return read.get();
  return nullptr;
}

bool EventFeed::has_task(const Lane& lane) {
  if (lane.slices >= kAhead) return false;
  if (idle_read(lane)) return true;
  if (!lane.reads.empty() && !lane.reads.back()->is_done && !lane.reads.back()->fits) return false;
  return lane.next_page < lane.pages.size();
}

void EventFeed::want(Lane& lane, uint32_t stream, bool is_urgent) {
  if (lane.is_queued && is_urgent) {
    std::erase(wanted_, stream);
    lane.is_queued = false;
  }
  if (lane.is_queued || !has_task(lane)) return;
  lane.is_queued = true;
  is_urgent ? wanted_.push_front(stream) : wanted_.push_back(stream);
}

EventFeed::Next EventFeed::take(uint32_t stream, std::unique_ptr<Slice>& slice) {
  const std::lock_guard lock(mutex_);
  Lane& lane = lanes_[stream];
  while (!lane.reads.empty()) {
    PageRead& read = *lane.reads.front();
    if (!read.ready.empty()) {
      slice = std::move(read.ready.front());
      read.ready.pop_front();
      --lane.slices;
      want(lane, stream, false);
      // The writer keeps stamps monotone within a page; the base of the next may lie before a stamp that was rounded
      // up.
      for (Event& event : std::span(slice->events.get(), slice->size)) {
        if (event.ticks >= lane.last_ticks) break;
        event.ticks = lane.last_ticks;
      }
      lane.last_ticks = slice->events[slice->size - 1].ticks;
      return Next::ready;
    }
    if (!read.is_done) break;
    end_read(lane, read);
  }
  if (lane.reads.empty() && lane.next_page >= lane.pages.size()) {
    if (std::exchange(lane.has_begun, false)) --begun_;
    return Next::none;
  }
  want(lane, stream, true);
  return Next::wanted;
}

void EventFeed::give_back(std::unique_ptr<Slice> slice) {
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(slice));
}

std::optional<EventFeed::Task> EventFeed::next_task() {
  const std::lock_guard lock(mutex_);
  if (wanted_.empty()) return std::nullopt;
  const uint32_t stream = wanted_.front();
  Lane& lane = lanes_[stream];
  PageRead* read = idle_read(lane);
  if (!read) read = &begin_page(lane);
  wanted_.pop_front();
  lane.is_queued = false;
  if (!std::exchange(lane.has_begun, true)) ++begun_;
  read->is_decoding = true;
  read->fits = !read->is_open && slice_events(lane) >= most_events(lane.pages[read->page].used);
  ++lane.slices;
  want(lane, stream, false);
  return Task{stream, read};
}

EventFeed::PageRead& EventFeed::begin_page(Lane& lane) {
  std::unique_ptr<PageRead> read;
  if (spare_reads_.empty()) {
    read = std::make_unique<PageRead>();
  } else {
    read = std::move(spare_reads_.back());
    spare_reads_.pop_back();
  }
  read->page = lane.next_page;
  read->events_to_skip = lane.next_page == lane.start.page ? lane.start.events : 0;
  read->is_open = read->is_done = false;
  lane.reads.push_back(std::move(read));
  ++lane.next_page;
  ++pages_read_;
  return *lane.reads.back();
}

void EventFeed::end_read(Lane& lane, PageRead& read) {
  const auto found = std::find_if(lane.reads.begin(), lane.reads.end(),
                                  [&](const std::unique_ptr<PageRead>& other) { return other.get() == &read; });
  if (spare_reads_.size() < kMostSpare) spare_reads_.push_back(std::move(*found));
  lane.reads.erase(found);
}

uint32_t EventFeed::slice_events(const Lane& lane) const {
  const size_t share = std::clamp<size_t>(kEventsAhead / std::max<size_t>(begun_, 1), kLeastSlice, kMostSlice);
  return static_cast<uint32_t>(std::min<size_t>(share, most_events(lane.most_bytes)));
}

std::unique_ptr<Slice> EventFeed::empty_slice(uint32_t events) {
  while (!spare_.empty()) {
    std::unique_ptr<Slice> slice = std::move(spare_.back());
    spare_.pop_back();
    // Those that are far too large are of a time with fewer streams.
    if (slice->capacity >= events && slice->capacity <= 2 * events) return slice;
  }
  return std::make_unique<Slice>(Slice{std::make_unique_for_overwrite<Event[]>(events), events, 0});
}

void EventFeed::decode(const Task& task, Scratch* scratch) {
  Lane& lane = lanes_[task.stream];
  PageRead& read = *task.read;
  {
    const std::lock_guard lock(mutex_);
    read.slice = empty_slice(slice_events(lane));
  }
  Slice& slice = *read.slice;
  if (!read.is_open) read.events.open(file_, lane.pages[read.page], read.events_to_skip);
  read.is_open = true;
  if (scratch) {
    if (!*scratch) *scratch = std::make_unique_for_overwrite<Event[]>(kMostSlice);
    slice.size = static_cast<uint32_t>(read.events.read({scratch->get(), std::min(slice.capacity, kMostSlice)}));
    copy_past_cache(slice.events.get(), scratch->get(), slice.size);
  } else {
    slice.size = static_cast<uint32_t>(read.events.read({slice.events.get(), slice.capacity}));
  }
  slice.begin = {read.page, read.events.events_read() - slice.size};
  const std::lock_guard lock(mutex_);
  read.is_decoding = false;
  read.is_done = read.events.is_at_end();
  if (slice.size != 0) {
    read.ready.push_back(std::move(read.slice));
  } else {
    --lane.slices;
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(read.slice));
    if (read.is_done) end_read(lane, read);  // pages of no events are not to pile up
  }
  want(lane, task.stream, false);
}

}  // namespace memprof
