// Decodes the streams of a trace into slices, ahead of the merge, on any number of threads.
//
//   wanted_stream() ─▶ decode() on any thread ─▶ take() by the merge ─▶ give_back() when pairing is done with it
//
// Invariants:
//   * A stream is decoded by one thread at a time, its slices are taken in order.
//   * At most kAhead slices of a stream are ready; a stream is first decoded when the merge reaches its begin.
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
#include "trace/event_stream.h"
#include "trace/trace_file.h"

namespace memprof {

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

  // A stream that should be decoded; it is the caller's until decode() returns.
  std::optional<uint32_t> wanted_stream();
  // `scratch`: the thread's own, when another one is to read the events; null when this one does.
  using Scratch = std::unique_ptr<Event[]>;
  void decode(uint32_t stream, Scratch* scratch = nullptr);

 private:
  static constexpr size_t kAhead = 2;

  struct Lane {
    StreamPages pages;
    uint32_t thread;
    uint32_t most_events;  // that one of its pages may hold
    StreamPosition start{};
    uint64_t last_ticks = 0;
    std::unique_ptr<EventStream> reader{};  // while it has begun and not ended
    std::deque<std::unique_ptr<Slice>> ready{};
    bool is_queued = false;    // in wanted_
    bool is_decoding = false;  // by the thread that took it
    bool is_ended = false;     // nothing comes behind `ready`
    uint64_t pages_read = 0;
  };

  void want(Lane& lane, uint32_t stream, bool is_urgent);
  std::unique_ptr<Slice> empty_slice(const Lane& lane);
  static uint32_t read_slice(Lane& lane, Slice& slice, Scratch* scratch);

  const TraceFile& file_;
  std::vector<Thread> threads_;
  uint64_t page_count_ = 0;
  mutable std::mutex mutex_;  // of all that follows, but for a lane's reader while it is decoded
  std::vector<Lane> lanes_;
  std::deque<uint32_t> wanted_;
  std::vector<std::unique_ptr<Slice>> spare_;
  size_t begun_ = 0;  // lanes that have begun and not ended
  uint64_t pages_read_ = 0;
};

}  // namespace memprof
