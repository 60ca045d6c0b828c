#include "model/pipeline.h"

#include <thread>
#include <utility>
#include <vector>

namespace memprof {

namespace {

// A call a page would be noise; the bar is redrawn far less often anyway.
constexpr uint64_t kProgressPages = 64;

template <class T>
T take_front(std::deque<T>& queue) {
  T taken = std::move(queue.front());
  queue.pop_front();
  return taken;
}

}  // namespace

void Pipeline::run(unsigned threads) {
  std::vector<std::jthread> others;
  {
    // Until it is known how many there are, they wait at the lock.
    const std::lock_guard lock(mutex_);
    try {
      for (unsigned i = 1; i < threads; ++i) others.emplace_back([this, i] { work(i); });
    } catch (const std::exception&) {
      // No more to be had, of threads or of memory: with those that there are.
    }
    threads_ = static_cast<unsigned>(others.size()) + 1;
  }
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
    try {
      EventFeed::Task task{};
      switch (choose(number, task)) {
        case Step::decode: decode(lock, task, for_others); break;
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

Pipeline::Step Pipeline::choose(unsigned number, EventFeed::Task& task) const {
  if (failure_ || (is_paired_ && told_.empty() && !is_summing_)) return Step::stop;
  const bool may_pair = number == 0, may_sum = number == 1;
  if (may_sum && !told_.empty()) return Step::sum;
  if (may_pair && !is_paired_ && told_.size() < kMostWaiting) {
    if (!merged_.empty()) return Step::pair;
    if (is_merged_) return Step::finish;
  }
  if (!is_merging_ && !is_merged_ && !merge_waits_ && merged_.size() < kMostWaiting) return Step::merge;
  if (const auto next = feed_.next_task()) {
    task = *next;
    return Step::decode;
  }
  return Step::wait;
}

void Pipeline::decode(std::unique_lock<std::mutex>& lock, const EventFeed::Task& task, EventFeed::Scratch* scratch) {
  lock.unlock();
  feed_.decode(task, scratch);
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
  merged_.push_back(
      std::exchange(begun_, spare_batches_.empty() ? std::make_unique<Batch>() : take_front(spare_batches_)));
}

std::unique_ptr<SumOps> Pipeline::take_ops() {
  if (spare_told_.empty()) return std::make_unique<SumOps>(threads_ > 1);
  return take_front(spare_told_);
}

void Pipeline::end_ops(SumOps& ops) {
  if (threads_ > 1) return ops.hand_over();
  summing_.apply(ops.all());
  ops.clear();
}

void Pipeline::pass_on(std::unique_ptr<SumOps> ops) { (threads_ > 1 ? told_ : spare_told_).push_back(std::move(ops)); }

void Pipeline::pair(std::unique_lock<std::mutex>& lock) {
  std::unique_ptr<Batch> batch = take_front(merged_);
  std::unique_ptr<SumOps> ops = take_ops();
  lock.unlock();
  pairing_.process(*batch, *ops);
  end_ops(*ops);
  const uint64_t pages_read = feed_.pages_read();
  // Batches that were merged before it was taken have points too.
  if (!batch->points.empty() && checkpoints_->is_due(pages_read))
    checkpoints_->take(pairing_, batch->points, pages_read);
  merge_.recycle(*batch);
  announce(pages_read);
  lock.lock();
  wants_points_ = checkpoints_ && checkpoints_->is_due(pages_read);
  spare_batches_.push_back(std::move(batch));
  pass_on(std::move(ops));
}

void Pipeline::finish(std::unique_lock<std::mutex>& lock) {
  std::unique_ptr<SumOps> ops = take_ops();
  lock.unlock();
  pairing_.finish(*ops);
  end_ops(*ops);
  if (threads_ == 1) summing_.finish();
  lock.lock();
  is_paired_ = true;
  pass_on(std::move(ops));
}

void Pipeline::sum(std::unique_lock<std::mutex>& lock) {
  is_summing_ = true;
  std::unique_ptr<SumOps> ops = take_front(told_);
  const bool is_last = is_paired_ && told_.empty();
  lock.unlock();
  summing_.apply(ops->all());
  ops->clear();
  if (is_last) summing_.finish();
  lock.lock();
  is_summing_ = false;
  spare_told_.push_back(std::move(ops));
}

void Pipeline::announce(uint64_t pages_read) {
  if (!progress_ || pages_read < announced_ + kProgressPages) return;
  announced_ = pages_read;
  progress_->advance(pages_read, feed_.page_count());
}

}  // namespace memprof
