// All events of a trace in the order of the clock, as runs of consecutive events of one stream.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/event_feed.h"

namespace memprof {

struct Run {
  std::span<const Event> events;
  uint32_t stream;  // index, unique among the events streams
  uint32_t thread;  // index into EventFeed::threads()
};

// Where a merge goes on with a stream: so that it goes on as if it had never stopped, also where times are equal.
struct StreamPoint {
  StreamPosition position{};
  uint64_t last_ticks = 0;  // of the event before
  uint64_t key = 0;         // of the merge: no event that comes has a lesser one
  bool is_ahead = false;    // of all others, when its last slice ended
};

// Runs that follow each other, and the slices that their events lie in.
struct Batch {
  std::vector<Run> runs;
  uint64_t first_number = 0;  // of the first event; they are numbered in the order of the merge
  uint32_t event_count = 0;
  std::vector<std::unique_ptr<Slice>> spent;  // of which later batches need nothing
  // Where each stream goes on behind the batch; empty unless it was asked for.
  std::vector<StreamPoint> points;
};

class Merge {
 public:
  // Events before `to_ticks`. `feed` outlives the merge; it is where it is to begin.
  explicit Merge(EventFeed& feed, uint64_t to_ticks = UINT64_MAX);

  enum class Outcome {
    full,     // more follows
    waiting,  // the feed must decode first; the batch may hold events already
    finished,
  };
  // Appends to `batch`, which is given out when it is full, or when the feed is behind and it is not empty.
  Outcome fill(Batch& batch);

  // Takes the slices that a batch is done with.
  void recycle(Batch& batch);

  // Before the first event: the streams go on there, where the feed begins too; others have the numbers below.
  void resume(const std::vector<StreamPoint>& points, uint64_t next_number);

  // For who takes the events on one thread: recycles the batch and fills it anew, decoding what it needs. False at the
  // end.
  bool next(Batch& batch);

  // For Batch::points, when fill() has returned it.
  std::vector<StreamPoint> points() const;

 private:
  // In the order of the heap: the stream's next event, or what none of its events lies before.
  struct Head {
    uint64_t key;
    uint32_t stream;
    bool operator<(const Head& other) const { return key != other.key ? key < other.key : stream < other.stream; }
  };
  struct Taken {
    std::unique_ptr<Slice> slice;
    uint32_t used = 0;  // of the slice
    StreamPoint point{};
  };

  static constexpr uint32_t kBatchEvents = 1u << 14;

  void begin_slice(Batch& batch);
  void take_run(Batch& batch);
  void sift_top_down();
  void drop_top();
  // The least key of the other streams.
  uint64_t key_behind_top() const;

  EventFeed& feed_;
  const uint64_t to_key_;
  std::vector<Taken> taken_;  // by stream
  std::vector<Head> heap_;    // the least on top
  uint64_t next_number_ = 0;
};

}  // namespace memprof
