// Runs an analysis on one or more threads: decode ─▶ merge ─▶ pair ─▶ sum, a batch of events at a time.
//
// Invariants:
//   * Merge, pair and sum are each done by one thread at a time and see the batches in order, so the result does not
//     depend on the number of threads. Decoding is done by any number, ahead.
//   * A thread takes the step that is nearest to the end. What waits between two steps is bounded.
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

  void work();
  Step choose(uint32_t& stream) const;
  void decode(std::unique_lock<std::mutex>& lock, uint32_t stream);
  void merge(std::unique_lock<std::mutex>& lock);
  void pair(std::unique_lock<std::mutex>& lock);
  void finish(std::unique_lock<std::mutex>& lock);
  void sum(std::unique_lock<std::mutex>& lock);
  void announce(uint64_t pages_read);

  static constexpr size_t kMostWaiting = 3;  // batches between two steps
  static constexpr uint32_t kSmallBatch = 1u << 12;

  EventFeed& feed_;
  Merge& merge_;
  Pairing& pairing_;
  Summing& summing_;
  ProgressSink* progress_;
  CheckpointWriter* checkpoints_;

  std::mutex mutex_;  // of all that follows
  std::condition_variable changed_;
  std::exception_ptr failure_;
  bool is_merging_ = false, is_pairing_ = false, is_summing_ = false;
  bool is_merged_ = false, is_paired_ = false;
  bool merge_waits_ = false;   // for a stream to be decoded
  uint64_t decoded_ = 0;       // slices
  uint64_t announced_ = 0;     // pages
  bool wants_points_ = false;  // the next batch is to come with them
  std::unique_ptr<Batch> begun_ = std::make_unique<Batch>();
  std::deque<std::unique_ptr<Batch>> merged_, spare_batches_;
  std::deque<std::unique_ptr<SumOps>> told_, spare_ops_;
};

}  // namespace memprof
