// Runs an analysis on one or more threads: decode ─▶ merge ─▶ pair ─▶ sum, a batch of events at a time.
//
// Invariants:
//   * Merge, pair and sum are each done by one thread at a time and see the batches in order, so the result does not
//     depend on the number of threads. Decoding is done by any number, ahead.
//   * What one thread makes for another is written past the cache (past_cache.h); a thread alone pairs and sums in one
//     step.
//   * A thread takes the step that is nearest to the end. What waits between two steps is bounded.
//   * Pairing stays on the first thread, and sums on the second: what they work on is large, and is not to wander from
//     one core's cache to another's. (Measured: a third more time in both where any thread took them.)
//   * What a step throws ends the run and is thrown by run().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>

#include "model/checkpoints.h"
#include "model/merge.h"
#include "model/pairing.h"
#include "model/summing.h"

namespace memprof {

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // From any thread, one call after the other.
  virtual void advance(uint64_t pages_done, uint64_t pages_total) = 0;
};

class Pipeline {
 public:
  // All outlive it; `progress` and `checkpoints` may be null.
  Pipeline(EventFeed& feed, Merge& merge, Pairing& pairing, Summing& summing, ProgressSink* progress,
           CheckpointWriter* checkpoints)
      : feed_(feed),
        merge_(merge),
        pairing_(pairing),
        summing_(summing),
        progress_(progress),
        checkpoints_(checkpoints) {}

  // `threads`: this one included.
  void run(unsigned threads);

 private:
  enum class Step { decode, merge, pair, finish, sum, wait, stop };

  // `number`: of the thread, from 0.
  void work(unsigned number);
  Step choose(unsigned number, EventFeed::Task& task) const;
  void decode(std::unique_lock<std::mutex>& lock, const EventFeed::Task& task, EventFeed::Scratch* scratch);
  void merge(std::unique_lock<std::mutex>& lock);
  void pair(std::unique_lock<std::mutex>& lock);
  void finish(std::unique_lock<std::mutex>& lock);
  void sum(std::unique_lock<std::mutex>& lock);
  // Of the ops that are handed back, or new ones: with the lock.
  std::unique_ptr<SumOps> take_ops();
  // What pairing told goes to the sums, or is added up: without the lock, and then with it.
  void end_ops(SumOps& ops);
  void pass_on(std::unique_ptr<SumOps> ops);
  void announce(uint64_t pages_read);

  static constexpr size_t kMostWaiting = 3;  // batches between two steps
  static constexpr uint32_t kSmallBatch = 1u << 12;

  EventFeed& feed_;
  Merge& merge_;
  Pairing& pairing_;
  Summing& summing_;
  ProgressSink* progress_;
  CheckpointWriter* checkpoints_;

  unsigned threads_ = 1;
  std::mutex mutex_;  // of all that follows
  std::condition_variable changed_;
  std::exception_ptr failure_;
  bool is_merging_ = false, is_summing_ = false;
  bool is_merged_ = false, is_paired_ = false;
  bool merge_waits_ = false;   // for a stream to be decoded
  uint64_t decoded_ = 0;       // slices
  uint64_t announced_ = 0;     // pages
  bool wants_points_ = false;  // the next batch is to come with them
  std::unique_ptr<Batch> begun_ = std::make_unique<Batch>();
  std::deque<std::unique_ptr<Batch>> merged_, spare_batches_;
  std::deque<std::unique_ptr<SumOps>> told_, spare_told_;
};

}  // namespace memprof
