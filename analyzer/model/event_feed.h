// Decodes the pages of a trace into slices, ahead of the merge, on any number of threads.
//
//   next_task() ─▶ decode() on any thread ─▶ take() by the merge ─▶ give_back() when pairing is done with it
//
// Invariants:
//   * A page is decoded by one thread at a time. Pages of one stream that fit in a slice are decoded side by side; one
//     that does not fit is the last that the stream has begun.
//   * Slices of a stream are taken in order, and their times never go back.
//   * At most kAhead slices of a stream are ready or being decoded; a stream is first decoded when the merge reaches
//   its
//     begin.
//   * With few streams a slice is large, with many small: what is decoded and not yet paired stays at some MiB.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "model/chunk.h"
#include "trace/event_page.h"
#include "trace/trace_file.h"

namespace memprof {

// Where in a stream: a page of it, and how many of that page's events lie before.
struct StreamPosition {
  uint32_t page = 0;
  uint32_t events = 0;
};

// Some events of one page that follow each other; the first of them is at `begin` of its stream.
struct Slice {
  std::unique_ptr<Event[]> events;
  uint32_t capacity = 0;
  uint32_t size = 0;
  StreamPosition begin{};
};

class EventFeed {
 public:
  explicit EventFeed(const TraceFile& file);

  const std::vector<Thread>& threads() const { return threads_; }
  size_t stream_count() const { return lanes_.size(); }
  uint32_t thread_of(uint32_t stream) const { return lanes_[stream].thread; }
  // None of the stream's events lies before.
  uint64_t start_key(uint32_t stream) const;
  StreamPosition start_of(uint32_t stream) const { return lanes_[stream].start; }
  uint64_t page_count() const { return page_count_; }
  uint64_t pages_read() const;

  // Before the first slice is taken: the stream goes on there. `last_ticks`: the time of the event before.
  void start_at(uint32_t stream, StreamPosition position, uint64_t last_ticks);

  // Whether the next slice is ready, does not exist, or has to be decoded first: then it is asked for.
  enum class Next { ready, none, wanted };
  Next take(uint32_t stream, std::unique_ptr<Slice>& slice);
  void give_back(std::unique_ptr<Slice> slice);

  // A page to decode from, the caller's until decode() returns.
  struct PageRead;
  struct Task {
    uint32_t stream;
    PageRead* read;
  };
  std::optional<Task> next_task();
  // `scratch`: the thread's own, when another one is to read the events; null when this one does.
  using Scratch = std::unique_ptr<Event[]>;
  void decode(const Task& task, Scratch* scratch = nullptr);

 private:
  static constexpr size_t kAhead = 3;

  struct Lane {
    StreamPages pages;
    uint32_t thread;
    uint32_t most_bytes;  // of its pages
    StreamPosition start{};
    uint64_t last_ticks = 0;                         // of the event before the next to be taken
    uint32_t next_page = 0;                          // that is not begun
    std::vector<std::unique_ptr<PageRead>> reads{};  // that are begun and not taken to their end, in order
    size_t slices = 0;                               // ready or being decoded
    bool is_queued = false;                          // in wanted_
    bool has_begun = false;
  };

  // Of which the next slice may be decoded; null: the next page's, or none.
  static PageRead* idle_read(const Lane& lane);
  static bool has_task(const Lane& lane);
  void want(Lane& lane, uint32_t stream, bool is_urgent);
  // Events that a slice of the stream is to hold.
  uint32_t slice_events(const Lane& lane) const;
  std::unique_ptr<Slice> empty_slice(uint32_t events);
  PageRead& begin_page(Lane& lane);
  // Nothing of it is left to be decoded or taken.
  void end_read(Lane& lane, PageRead& read);

  const TraceFile& file_;
  std::vector<Thread> threads_;
  uint64_t page_count_ = 0;
  mutable std::mutex mutex_;  // of all that follows, but for what a task reads
  std::vector<Lane> lanes_;
  std::deque<uint32_t> wanted_;
  std::vector<std::unique_ptr<Slice>> spare_;
  std::vector<std::unique_ptr<PageRead>> spare_reads_;
  size_t begun_ = 0;         // lanes that have begun and not ended
  uint64_t pages_read_ = 0;  // or begun
};

// A page on its way into slices.
struct EventFeed::PageRead {
  EventPage events;
  uint32_t page = 0;  // of the stream
  uint32_t events_to_skip = 0;
  std::unique_ptr<Slice> slice;  // while it is decoded
  bool is_open = false;
  bool is_decoding = false;
  bool is_done = false;
  bool fits = false;  // one slice takes it whole
  std::deque<std::unique_ptr<Slice>> ready;
};

}  // namespace memprof
