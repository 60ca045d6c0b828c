#include "model/merge.h"

#include <algorithm>

namespace memprof {

Merge::Merge(EventFeed& feed, uint64_t to_ticks)
    : feed_(feed),
      to_key_(to_ticks > kMaxEventTicks ? UINT64_MAX : merge_key(to_ticks, EventKind::release)),
      taken_(feed.stream_count()) {
  for (uint32_t stream = 0; stream < feed.stream_count(); ++stream) {
    taken_[stream].point.position = feed.start_of(stream);
    heap_.push_back({feed.start_key(stream), stream});
  }
  std::sort(heap_.begin(), heap_.end());
}

Merge::Outcome Merge::fill(Batch& batch) {
  if (batch.event_count == 0) batch.first_number = next_number_;
  while (!heap_.empty() && heap_.front().key < to_key_) {
    if (batch.event_count >= kBatchEvents) return Outcome::full;
    Head& top = heap_.front();
    Taken& taken = taken_[top.stream];
    if (taken.slice) {
      take_run(batch);
      continue;
    }
    switch (feed_.take(top.stream, taken.slice)) {
      case EventFeed::Next::wanted: return Outcome::waiting;
      case EventFeed::Next::none: drop_top(); break;
      case EventFeed::Next::ready: begin_slice(batch); break;
    }
  }
  return Outcome::finished;
}

// Where slices end must not decide which of two events at the same time comes first: a stream that was ahead at the end
// of its slice goes on, as it would have within one.
void Merge::begin_slice(Batch& batch) {
  Head& top = heap_.front();
  Taken& taken = taken_[top.stream];
  taken.used = 0;
  const Event& first = taken.slice->events[0];
  const uint64_t key = merge_key(first.ticks, first.kind);
  if (taken.point.is_ahead && key <= key_behind_top() && key < to_key_) return take_run(batch);
  top.key = key;
  sift_top_down();
}

// As far as the stream stays ahead of all others. In-stream order is kept even where keys go back (a block allocated
// and freed within one tick).
void Merge::take_run(Batch& batch) {
  Head& top = heap_.front();
  Taken& taken = taken_[top.stream];
  Slice& slice = *taken.slice;
  const std::span<const Event> rest(slice.events.get() + taken.used, slice.size - taken.used);
  const uint64_t limit = std::min(key_behind_top(), to_key_ - 1);
  uint32_t count = 1;
  if (merge_key(rest.back().ticks, EventKind::allocation) <= limit)
    count = static_cast<uint32_t>(rest.size());  // times never go back
  else
    while (count < rest.size() && merge_key(rest[count].ticks, rest[count].kind) <= limit) ++count;
  batch.runs.push_back({rest.first(count), top.stream, feed_.thread_of(top.stream)});
  batch.event_count += count;
  next_number_ += count;
  taken.used += count;
  taken.point.position = {slice.begin.page, slice.begin.events + taken.used};
  taken.point.last_ticks = rest[count - 1].ticks;
  taken.point.is_ahead = count == rest.size();
  if (taken.point.is_ahead) {
    batch.spent.push_back(std::move(taken.slice));
  } else {
    top.key = merge_key(rest[count].ticks, rest[count].kind);
    sift_top_down();
  }
}

uint64_t Merge::key_behind_top() const {
  if (heap_.size() == 1) return UINT64_MAX;
  if (heap_.size() == 2) return heap_[1].key;
  return std::min(heap_[1].key, heap_[2].key);
}

void Merge::sift_top_down() {
  const Head head = heap_.front();
  size_t hole = 0;
  for (size_t child = 1; child < heap_.size(); child = 2 * hole + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
    if (!(heap_[child] < head)) break;
    heap_[hole] = heap_[child];
    hole = child;
  }
  heap_[hole] = head;
}

void Merge::drop_top() {
  heap_.front() = heap_.back();
  heap_.pop_back();
  if (!heap_.empty()) sift_top_down();
}

void Merge::recycle(Batch& batch) {
  for (std::unique_ptr<Slice>& slice : batch.spent) feed_.give_back(std::move(slice));
  batch.runs.clear();
  batch.spent.clear();
  batch.points.clear();
  batch.event_count = 0;
}

bool Merge::next(Batch& batch) {
  recycle(batch);
  while (fill(batch) == Outcome::waiting)
    if (const auto task = feed_.next_task()) feed_.decode(*task);
  return batch.event_count != 0;
}

std::vector<StreamPoint> Merge::points() const {
  std::vector<StreamPoint> points;
  for (const Taken& taken : taken_) points.push_back(taken.point);
  for (const Head& head : heap_) points[head.stream].key = head.key;
  return points;
}

void Merge::resume(const std::vector<StreamPoint>& points, uint64_t next_number) {
  for (uint32_t stream = 0; stream < points.size(); ++stream) taken_[stream].point = points[stream];
  for (Head& head : heap_) head.key = points[head.stream].key;
  std::sort(heap_.begin(), heap_.end());
  next_number_ = next_number;
}

}  // namespace memprof
