#include "model/pending_window.h"

namespace memprof {

void PendingWindow::push(const StreamEvent& event) {
  const uint64_t number = first_number_ + queue_.size();
  queue_.push_back({event});
  const auto [found, is_new] = by_address_.emplace(event.event.address, Chain{number, number});
  if (is_new) return;
  at(found->second.last).next = number;
  found.value().last = number;
}

const PendingEvent* PendingWindow::oldest(uint64_t address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : &at(found->second.first);
}

StreamEvent PendingWindow::take_oldest(uint64_t address) {
  const auto found = by_address_.find(address);
  PendingEvent& event = at(found->second.first);
  event.is_settled = true;
  const StreamEvent taken = event;
  if (event.next == 0)
    by_address_.erase(found);
  else
    found.value().first = event.next;
  drop_settled();
  return taken;
}

bool PendingWindow::take_expired(uint64_t now, StreamEvent& out) {
  if (queue_.empty()) return false;
  const PendingEvent& front = queue_.front();  // never settled: drop_settled() sees to it
  const uint64_t age = now > front.event.ticks ? now - front.event.ticks : 0;
  if (age <= window_ticks_ && queue_.size() <= kMaxPending) return false;
  // The oldest of all is the oldest of its address.
  out = take_oldest(front.event.address);
  return true;
}

void PendingWindow::drop_settled() {
  while (!queue_.empty() && queue_.front().is_settled) {
    queue_.pop_front();
    ++first_number_;
  }
}

}  // namespace memprof
