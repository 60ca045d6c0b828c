#include "model/disputes.h"

#include <algorithm>
#include <numeric>

namespace memprof {
namespace {

// Depth first, the earliest stamp first.
class Search {
 public:
  // `reach`: an event may be moved over others whose stamps differ by no more than this.
  Search(const std::vector<Dispute::Entry>& entries, uint64_t reach, uint64_t& steps_left)
      : entries_(entries), steps_left_(steps_left) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      uint64_t before = 0;
      for (size_t j = 0; j < i; ++j) {
        const bool is_far = ticks(i) - ticks(j) > reach;
        if (is_far || entries_[j].arrived.stream == entries_[i].arrived.stream) before |= bit(j);
      }
      must_precede_.push_back(before);
    }
  }

  // With at most so many contradictions, none of them before the place `calm`.
  bool finds_order(unsigned contradictions, size_t calm) {
    calm_ = calm;
    failed_.clear();
    order_.clear();
    return place_rest(0, false, contradictions);
  }
  const std::vector<uint8_t>& order() const { return order_; }

 private:
  static uint64_t bit(size_t i) { return uint64_t{1} << i; }
  uint64_t ticks(size_t i) const { return entries_[i].arrived.event.ticks; }
  bool allocates(size_t i) const { return entries_[i].arrived.event.kind == EventKind::allocation; }

  bool place_rest(uint64_t placed, bool is_live, unsigned contradictions) {
    if (order_.size() == entries_.size()) return true;
    if (steps_left_ == 0) return false;
    --steps_left_;
    const uint64_t state = placed << 1 | uint64_t{is_live};
    const auto failed = failed_.find(state);
    if (failed != failed_.end() && failed->second >= contradictions) return false;
    for (const bool fits : {true, false}) {
      if (!fits && (contradictions == 0 || order_.size() < calm_)) break;
      for (size_t i = 0; i < entries_.size(); ++i) {
        if ((placed & bit(i)) != 0 || (must_precede_[i] & ~placed) != 0) continue;
        if ((allocates(i) != is_live) != fits) continue;
        order_.push_back(static_cast<uint8_t>(i));
        // An orphan leaves nothing live, an allocation over a live block its own.
        if (place_rest(placed | bit(i), allocates(i), contradictions - (fits ? 0 : 1))) return true;
        order_.pop_back();
      }
    }
    failed_[state] = contradictions;
    return false;
  }

  const std::vector<Dispute::Entry>& entries_;
  std::vector<uint64_t> must_precede_;  // by entry: bits of entries
  std::vector<uint8_t> order_;
  tsl::robin_map<uint64_t, unsigned, KeyedHash> failed_;  // by what is placed and whether a block is live
  size_t calm_ = 0;
  uint64_t& steps_left_;
};

}  // namespace

std::vector<uint8_t> Disputes::order_of(const Dispute& dispute, size_t count) {
  constexpr uint64_t kStepsPerEvent = 500;
  steps_left_ += kStepsPerEvent * count;
  const size_t size = dispute.entries.size();
  // What contradicts at the end may be explained by events to come.
  for (const size_t calm : {count < size ? count : 0, size_t{0}}) {
    for (unsigned contradictions = 0; contradictions <= size - calm; ++contradictions) {
      for (uint64_t part = 256; part != 0; part /= 4) {
        Search search(dispute.entries, window_ticks_ / part, steps_left_);
        if (search.finds_order(contradictions, calm)) return search.order();
      }
    }
  }
  // Too hard: as the stamps say.
  std::vector<uint8_t> order(size);
  std::iota(order.begin(), order.end(), uint8_t{0});
  return order;
}

Dispute* Disputes::find(uint64_t address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : found->second.get();
}

Dispute& Disputes::begin(uint64_t address, uint64_t ticks) {
  auto dispute = std::make_unique<Dispute>();
  dispute->address = address;
  dispute->last_ticks = ticks;
  due_.push_back({end_of_window(ticks), address});
  return *(by_address_[address] = std::move(dispute));
}

// Never the end of time, at which all are taken out.
uint64_t Disputes::end_of_window(uint64_t ticks) const {
  return ticks >= kEndOfTime - window_ticks_ ? kEndOfTime - 1 : ticks + window_ticks_;
}

std::unique_ptr<Dispute> Disputes::take_expired(uint64_t now) {
  while (!due_.empty() && (now > due_.front().ticks)) {
    const Due due = due_.front();
    due_.pop_front();
    const auto found = by_address_.find(due.address);
    const uint64_t quiet_until = end_of_window(found->second->last_ticks);
    if (now <= quiet_until) {
      due_.push_back({quiet_until, due.address});
      continue;
    }
    std::unique_ptr<Dispute> taken = std::move(found.value());
    by_address_.erase(found);
    return taken;
  }
  return nullptr;
}

}  // namespace memprof
