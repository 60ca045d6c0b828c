// Pairing where events contradict each other (disputes.h).
#include <algorithm>

#include "model/pairing.h"

namespace memprof {

namespace {

bool is_recent(uint64_t before, uint64_t now, uint64_t window) { return now <= before || now - before <= window; }

Dispute::Entry entry_of(const Chunk& chunk, uint64_t address) {
  const Event event{.ticks = chunk.alloc_ticks,
                    .address = address,
                    .size = chunk.size,
                    .stack = chunk.is_chosen() ? chunk.stack : format::kNoStack,
                    .tag = chunk.tag,
                    .kind = EventKind::allocation,
                    .continues = false};
  return {{{chunk.number, chunk.stream, chunk.thread, false}, event}, chunk, true};
}

}  // namespace

void Pairing::close(uint16_t domain, Dispute::Entry& entry) {
  tell(domain, entry.chunk, SumOp::Kind::closed, entry.chunk.size);
  entry.is_closed = true;
  entry.left_in_window = in_window_;
}

void Pairing::reopen(uint16_t domain, Dispute::Entry& entry) {
  // A block that had left the sums before the window was not carried into it.
  const bool was_there = entry.left_in_window || !in_window_;
  if (!was_there) entry.chunk.stack = chosen_stack(entry.chunk);
  tell(domain, entry.chunk, was_there ? SumOp::Kind::reopened : SumOp::Kind::carried, entry.chunk.size);
  entry.is_closed = false;
  entry.left_in_window = true;
}

void Pairing::hand_over(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& release) {
  const uint64_t address = release.event.address, ticks = release.event.ticks;
  std::optional<HandOvers::HandOver>& place = account.hand_overs.place_of(address);
  if (place && is_recent(place->release.event.ticks, ticks, account.disputes.window_ticks())) {
    Dispute& dispute = begin_dispute(account, domain, place->release.event.address, ticks);
    if (dispute.address == address) {
      Dispute::Entry& entry = dispute.entries.emplace_back(entry_of(chunk, address));
      entry.is_closed = true;
      entry.left_in_window = in_window_;
      dispute.entries.push_back({release});
      return;
    }
  }
  if (place) report_hand_over(account, domain, *place);
  place = {chunk, release, in_window_};
}

void Pairing::report_hand_over(Account& account, uint16_t domain, const HandOvers::HandOver& hand_over) {
  if (!hand_over.left_in_window) return;
  const StreamEvent& release = hand_over.release;
  if (is_temporary(hand_over.chunk, release)) tell(domain, hand_over.chunk, SumOp::Kind::temporary, 0);
  report_closed(account, domain, release.event.address, hand_over.chunk, release.event, release);
}

void Pairing::settle_hand_overs(Account& account, uint16_t domain) {
  for (std::optional<HandOvers::HandOver>& place : account.hand_overs.all()) {
    if (place) report_hand_over(account, domain, *place);
    place.reset();
  }
}

// With all that is known of the address: a block handed over a moment ago, the live one.
Dispute& Pairing::begin_dispute(Account& account, uint16_t domain, uint64_t address, uint64_t ticks) {
  Dispute& dispute = account.disputes.begin(address, ticks);
  std::optional<HandOvers::HandOver>& place = account.hand_overs.place_of(address);
  if (place && place->release.event.address == address) {
    if (is_recent(place->release.event.ticks, ticks, account.disputes.window_ticks())) {
      Dispute::Entry& entry = dispute.entries.emplace_back(entry_of(place->chunk, address));
      entry.is_closed = true;
      entry.left_in_window = place->left_in_window;
      dispute.entries.push_back({place->release});
    } else {
      report_hand_over(account, domain, *place);
    }
    place.reset();
  }
  if (BlockTable::Block* const block = account.live.find(address)) {
    dispute.entries.push_back(entry_of(block->chunk, address));
    account.live.erase(block);
  }
  return dispute;
}

void Pairing::join(Account& account, uint16_t domain, Dispute& dispute, const StreamEvent& arrived) {
  if (dispute.entries.size() == Dispute::kMostEvents) {
    settle(account, domain, dispute, Dispute::kMostEvents / 2);
  }
  dispute.last_ticks = arrived.event.ticks;
  dispute.entries.push_back({arrived});
  const auto is_open = [](const Dispute::Entry& entry) { return entry.is_counted && !entry.is_closed; };
  const auto is_waiting = [](const Dispute::Entry& entry) {
    return entry.arrived.event.kind == EventKind::allocation && !entry.is_counted;
  };
  auto open = std::find_if(dispute.entries.begin(), dispute.entries.end(), is_open);
  if (arrived.event.kind == EventKind::release && open != dispute.entries.end()) {
    close(domain, *open);
    open = dispute.entries.end();
  }
  if (open != dispute.entries.end()) return;
  const auto waiting = std::find_if(dispute.entries.begin(), dispute.entries.end(), is_waiting);
  if (waiting == dispute.entries.end()) return;
  begin_chunk(account, domain, waiting->arrived.event, waiting->arrived, waiting->chunk);
  waiting->is_counted = true;
}

void Pairing::settle(Account& account, uint16_t domain, Dispute& dispute, size_t count) {
  const std::vector<uint8_t> order = account.disputes.order_of(dispute, count);
  Dispute::Entry* live = nullptr;
  for (size_t i = 0; i < count; ++i) {
    Dispute::Entry& entry = dispute.entries[order[i]];
    if (entry.arrived.event.kind == EventKind::release) {
      if (!live) {
        orphan(account, domain, entry.arrived);
        continue;
      }
      if (!live->is_closed) close(domain, *live);
      if (live->left_in_window) {
        if (is_temporary(live->chunk, entry.arrived)) tell(domain, live->chunk, SumOp::Kind::temporary, 0);
        report_closed(account, domain, dispute.address, live->chunk, entry.arrived.event, entry.arrived);
      }
      live = nullptr;
      continue;
    }
    if (!entry.is_counted) begin_chunk(account, domain, entry.arrived.event, entry.arrived, entry.chunk);
    entry.is_counted = true;
    if (live && live->is_closed) reopen(domain, *live);
    if (live) displace(account, domain, live->chunk, entry.arrived.event);
    live = &entry;
  }
  if (live && live->is_closed) reopen(domain, *live);
  if (live && count == order.size()) account.live.set(dispute.address, live->chunk);

  std::vector<Dispute::Entry> left;
  if (live && count < order.size()) left.push_back(*live);
  std::vector<bool> is_decided(order.size());
  for (size_t i = 0; i < count; ++i) is_decided[order[i]] = true;
  for (size_t i = 0; i < order.size(); ++i) {
    if (!is_decided[i]) left.push_back(dispute.entries[i]);
  }
  dispute.entries = std::move(left);
}

}  // namespace memprof
