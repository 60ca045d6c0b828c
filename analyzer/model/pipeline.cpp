#include "model/pipeline.h"

#include <thread>
#include <utility>
#include <vector>

namespace memprof {

namespace {

// A call a page would be noise; the bar is redrawn far less often anyway.
constexpr uint64_t kProgressPages = 64;

template <class T>
std::unique_ptr<T> take_or_make(std::deque<std::unique_ptr<T>>& spare) {
  if (spare.empty()) return std::make_unique<T>();
  std::unique_ptr<T> taken = std::move(spare.front());
  spare.pop_front();
  return taken;
}

template <class T>
T take_front(std::deque<T>& queue) {
  T taken = std::move(queue.front());
  queue.pop_front();
  return taken;
}

}  // namespace

void Pipeline::run(unsigned threads) {
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back([this] { work(); });
  work();
  others.clear();
  if (failure_) std::rethrow_exception(failure_);
}

void Pipeline::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    uint32_t stream = 0;
    const Step step = choose(stream);
    try {
      switch (step) {
        case Step::decode: decode(lock, stream); break;
        case Step::merge: merge(lock); break;
        case Step::pair: pair(lock); break;
        case Step::finish: finish(lock); break;
        case Step::sum: sum(lock); break;
        case Step::wait: changed_.wait(lock); continue;
        case Step::stop: return;
      }
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      if (!failure_) failure_ = std::current_exception();
    }
    changed_.notify_all();
  }
}

Pipeline::Step Pipeline::choose(uint32_t& stream) const {
  if (failure_ || (is_paired_ && told_.empty() && !is_summing_)) return Step::stop;
  if (!is_summing_ && !told_.empty()) return Step::sum;
  if (!is_pairing_ && !is_paired_ && told_.size() < kMostWaiting) {
    if (!merged_.empty()) return Step::pair;
    if (is_merged_) return Step::finish;
  }
  if (!is_merging_ && !is_merged_ && !merge_waits_ && merged_.size() < kMostWaiting) return Step::merge;
  if (const auto wanted = feed_.wanted_stream()) {
    stream = *wanted;
    return Step::decode;
  }
  return Step::wait;
}

void Pipeline::decode(std::unique_lock<std::mutex>& lock, uint32_t stream) {
  lock.unlock();
  feed_.decode(stream);
  lock.lock();
  ++decoded_;
  merge_waits_ = false;
}

void Pipeline::merge(std::unique_lock<std::mutex>& lock) {
  is_merging_ = true;
  const uint64_t decoded = decoded_;
  const bool wants_points = wants_points_;
  lock.unlock();
  const Merge::Outcome outcome = merge_.fill(*begun_);
  // What an earlier call left there is not where this one ended.
  begun_->points = wants_points ? merge_.points() : std::vector<StreamPoint>();
  lock.lock();
  is_merging_ = false;
  is_merged_ = outcome == Merge::Outcome::finished;
  merge_waits_ = outcome == Merge::Outcome::waiting && decoded == decoded_;
  if (outcome == Merge::Outcome::waiting && begun_->event_count < kSmallBatch) return;
  if (begun_->event_count == 0) return;
  merged_.push_back(std::exchange(begun_, take_or_make(spare_batches_)));
}

void Pipeline::pair(std::unique_lock<std::mutex>& lock) {
  is_pairing_ = true;
  std::unique_ptr<Batch> batch = take_front(merged_);
  std::unique_ptr<SumOps> ops = take_or_make(spare_ops_);
  lock.unlock();
  pairing_.process(*batch, *ops);
  const uint64_t pages_read = feed_.pages_read();
  // Batches that were merged before it was taken have points too.
  if (!batch->points.empty() && checkpoints_->is_due(pages_read))
    checkpoints_->take(pairing_, batch->points, pages_read);
  merge_.recycle(*batch);
  announce(pages_read);
  lock.lock();
  is_pairing_ = false;
  wants_points_ = checkpoints_ && checkpoints_->is_due(pages_read);
  spare_batches_.push_back(std::move(batch));
  told_.push_back(std::move(ops));
}

void Pipeline::finish(std::unique_lock<std::mutex>& lock) {
  is_pairing_ = true;
  std::unique_ptr<SumOps> ops = take_or_make(spare_ops_);
  lock.unlock();
  pairing_.finish(*ops);
  lock.lock();
  is_pairing_ = false;
  is_paired_ = true;
  told_.push_back(std::move(ops));
}

void Pipeline::sum(std::unique_lock<std::mutex>& lock) {
  is_summing_ = true;
  std::unique_ptr<SumOps> ops = take_front(told_);
  const bool is_last = is_paired_ && told_.empty();
  lock.unlock();
  summing_.apply(*ops);
  if (is_last) summing_.finish();
  ops->clear();
  lock.lock();
  is_summing_ = false;
  spare_ops_.push_back(std::move(ops));
}

void Pipeline::announce(uint64_t pages_read) {
  if (!progress_ || pages_read < announced_ + kProgressPages) return;
  announced_ = pages_read;
  progress_->advance(pages_read, feed_.page_count());
}

}  // namespace memprof
