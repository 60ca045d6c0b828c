#include "model/pipeline.h"

#include <thread>
#include <utility>
#include <vector>

#include "model/past_cache.h"

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
  threads_ = threads;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back([this, i] { work(i); });
  work(0);
  others.clear();
  if (failure_) std::rethrow_exception(failure_);
}

void Pipeline::work(unsigned number) {
  // The first thread reads itself what it decodes.
  EventFeed::Scratch scratch;
  EventFeed::Scratch* const for_others = number == 0 ? nullptr : &scratch;
  std::unique_lock lock(mutex_);
  for (;;) {
    uint32_t stream = 0;
    const Step step = choose(number, stream);
    try {
      switch (step) {
        case Step::decode: decode(lock, stream, for_others); break;
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

Pipeline::Step Pipeline::choose(unsigned number, uint32_t& stream) const {
  if (failure_ || (is_paired_ && told_.empty() && !is_summing_)) return Step::stop;
  const bool may_pair = number == 0, may_sum = number == 1;
  if (may_sum && !told_.empty()) return Step::sum;
  if (may_pair && !is_paired_ && told_.size() < kMostWaiting) {
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

void Pipeline::decode(std::unique_lock<std::mutex>& lock, uint32_t stream, EventFeed::Scratch* scratch) {
  lock.unlock();
  feed_.decode(stream, scratch);
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

std::unique_ptr<Pipeline::ToldOps> Pipeline::pass_on(std::unique_ptr<ToldOps> told) {
  if (threads_ == 1) {
    summing_.apply(paired_);
  } else {
    if (told->capacity < paired_.size()) {
      told->capacity = paired_.capacity();
      told->ops = std::make_unique_for_overwrite<SumOp[]>(told->capacity);
    }
    told->size = paired_.size();
    copy_past_cache(told->ops.get(), paired_.data(), paired_.size());
  }
  paired_.clear();
  return told;
}

void Pipeline::pair(std::unique_lock<std::mutex>& lock) {
  std::unique_ptr<Batch> batch = take_front(merged_);
  std::unique_ptr<ToldOps> told = take_or_make(spare_told_);
  lock.unlock();
  pairing_.process(*batch, paired_);
  told = pass_on(std::move(told));
  const uint64_t pages_read = feed_.pages_read();
  // Batches that were merged before it was taken have points too.
  if (!batch->points.empty() && checkpoints_->is_due(pages_read))
    checkpoints_->take(pairing_, batch->points, pages_read);
  merge_.recycle(*batch);
  announce(pages_read);
  lock.lock();
  wants_points_ = checkpoints_ && checkpoints_->is_due(pages_read);
  spare_batches_.push_back(std::move(batch));
  (threads_ == 1 ? spare_told_ : told_).push_back(std::move(told));
}

void Pipeline::finish(std::unique_lock<std::mutex>& lock) {
  std::unique_ptr<ToldOps> told = take_or_make(spare_told_);
  lock.unlock();
  pairing_.finish(paired_);
  told = pass_on(std::move(told));
  if (threads_ == 1) summing_.finish();
  lock.lock();
  is_paired_ = true;
  (threads_ == 1 ? spare_told_ : told_).push_back(std::move(told));
}

void Pipeline::sum(std::unique_lock<std::mutex>& lock) {
  is_summing_ = true;
  std::unique_ptr<ToldOps> told = take_front(told_);
  const bool is_last = is_paired_ && told_.empty();
  lock.unlock();
  summing_.apply({told->ops.get(), told->size});
  if (is_last) summing_.finish();
  lock.lock();
  is_summing_ = false;
  spare_told_.push_back(std::move(told));
}

void Pipeline::announce(uint64_t pages_read) {
  if (!progress_ || pages_read < announced_ + kProgressPages) return;
  announced_ = pages_read;
  progress_->advance(pages_read, feed_.page_count());
}

}  // namespace memprof
