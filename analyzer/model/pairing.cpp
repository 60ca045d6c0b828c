#include "model/pairing.h"

#include <algorithm>

namespace memprof {

namespace {

OrphanKind orphan_kind_of(uint32_t flags) {
  if (flags & format::kFiltered) return OrphanKind::filtered;
  if (flags & format::kForkChild) return OrphanKind::inherited;
  if (flags & format::kLateStart) return OrphanKind::before_start;
  return OrphanKind::unknown;
}

}  // namespace

Pairing::Config Pairing::config_for(const TraceFile& file, const Clock& clock, const Merge& merge) {
  Config config;
  config.flags = file.flags();
  const bool has_orphans = (config.flags & (format::kForkChild | format::kLateStart | format::kFiltered)) != 0;
  config.window_ticks =
      std::max<uint64_t>(clock.ticks_of_duration(has_orphans ? kReorderWindowWithOrphansNs : kReorderWindowNs),
                         uint64_t{2} << file.header().time_shift);
  config.memory_page_size = file.header().memory_page_size;
  config.thread_count = merge.threads().size();
  config.one_stream = merge.stream_count() <= 1;
  return config;
}

Pairing::Pairing(const Domains& domains, const StackNodes& nodes, const Config& config, ChunkVisitor* visitor,
                 SumObserver* observer)
    : domains_(domains),
      nodes_(nodes),
      config_(config),
      orphan_kind_(orphan_kind_of(config.flags)),
      visitor_(visitor),
      observer_(observer),
      accounts_(domains.all().size()),
      latest_(config.thread_count) {}

Account& Pairing::account_of(uint16_t domain) {
  std::unique_ptr<Account>& account = accounts_[domain];
  if (!account) {
    account = std::make_unique<Account>(nodes_, domain == Domains::kHeap, config_.window_ticks);
    if (domains_.all()[domain].is_mapping) account->mappings = std::make_unique<Mappings>(config_.memory_page_size);
  }
  return *account;
}

// True for a release of the block that the thread's event before this one allocated, as far as the trace still has it.
bool Pairing::note_event(const Event& event, uint16_t domain, uint32_t thread) {
  LatestEvent& latest = latest_[thread];
  event_count_ += !event.continues;
  if (event.kind == EventKind::allocation) {
    latest = {event.address, domain, true};
    return false;
  }
  const bool is_next = !event.follows_gap && latest.is_allocation && latest.address == event.address && latest.domain == domain;
  latest.is_allocation = false;
  return is_next;
}

void Pairing::process(const Run& run) {
  for (const Event& event : run.events) {
    const uint16_t domain = domains_.tag(event.tag).domain;
    Account& account = account_of(domain);
    last_ticks_ = std::max(last_ticks_, event.ticks);
    if (!account.pending.empty() || !account.disputes.empty()) settle_expired(account, domain, event.ticks);
    const bool is_next = note_event(event, domain, run.thread);
    const StreamEvent arrived{event, run.stream, run.thread, is_next};
    if (event.kind == EventKind::allocation)
      account.mappings ? allocate_mapping(account, domain, arrived) : allocate_block(account, domain, arrived);
    else
      account.mappings ? release_mapping(account, domain, arrived) : release_block(account, domain, arrived);
  }
}

void Pairing::tell_observer(const Account& account, uint16_t domain, const Chunk& chunk, SumChange::Kind kind,
                            uint64_t bytes) {
  observer_->changed(
      {domain, kind, chunk.thread, account.sites[chunk.site].stack, last_ticks_, chunk.alloc_ticks, bytes});
}

void Pairing::close(Account& account, uint16_t domain, const Chunk& chunk, uint64_t bytes) {
  account.sites.close(chunk.site, bytes);
  if (observer_) tell_observer(account, domain, chunk, SumChange::Kind::closed, bytes);
}

void Pairing::reopen(Account& account, uint16_t domain, const Chunk& chunk) {
  account.sites.reopen(chunk.site, chunk.size, last_ticks_);
  if (observer_) tell_observer(account, domain, chunk, SumChange::Kind::reopened, chunk.size);
}

void Pairing::shrink(Account& account, uint16_t domain, const Chunk& chunk, uint64_t bytes) {
  account.sites.shrink(chunk.site, bytes);
  if (observer_) tell_observer(account, domain, chunk, SumChange::Kind::shrunk, bytes);
}

Chunk Pairing::begin_chunk(Account& account, uint16_t domain, const StreamEvent& allocation) {
  const Event& event = allocation.event;
  const SiteIndex site = account.sites.site_of(config_.site_keys.of(event, allocation.thread), event.tag);
  account.sites.add_allocation(site, event.tag, event.size, event.ticks);
  ++account.allocations;
  account.bytes_allocated += event.size;
  const Chunk chunk{event.size, event.ticks, site, allocation.thread, allocation.stream, event.tag};
  if (observer_) tell_observer(account, domain, chunk, SumChange::Kind::allocated, event.size);
  return chunk;
}

Release Pairing::describe_end(Account& account, const Chunk& chunk, const StreamEvent& release) {
  const bool is_temporary = release.is_next_of_thread && chunk.thread == release.thread;
  const bool is_mismatched = are_mismatched(domains_.tag(chunk.tag).family, domains_.tag(release.event.tag).family);
  account.temporary += is_temporary;
  if (is_mismatched) {
    ++account.mismatched_frees;
    findings_.add_mismatch(account.sites[chunk.site].stack, chunk.tag, nodes_.canonical(release.event.stack),
                           release.event.tag, chunk.size);
  }
  return {release.event, release.thread, is_temporary, is_mismatched};
}

void Pairing::report_closed(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& release) {
  const Release end = describe_end(account, chunk, release);
  if (end.is_temporary) account.sites.add_temporary(chunk.site);
  if (visitor_) visitor_->closed(domain, release.event.address, chunk, account.sites[chunk.site].stack, end);
}

// The block stays open in every sum; only its address is given to the new one.
void Pairing::displace(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& allocation) {
  ++account.double_allocations;
  findings_.add_double_allocation(account.sites[chunk.site].stack, chunk.tag, nodes_.canonical(allocation.event.stack),
                                  allocation.event.tag, allocation.event.address);
  if (visitor_) visitor_->open(domain, allocation.event.address, chunk, account.sites[chunk.site].stack, true);
}

void Pairing::allocate_block(Account& account, uint16_t domain, const StreamEvent& allocation) {
  const uint64_t address = allocation.event.address;
  if (!account.disputes.empty()) {
    if (Dispute* dispute = account.disputes.find(address)) return join(account, domain, *dispute, allocation);
  }
  const auto [block, is_new] = account.live.try_emplace(address);
  if (is_new) {
    block.value() = begin_chunk(account, domain, allocation);
  } else if (config_.one_stream) {
    displace(account, domain, block->second, allocation);
    block.value() = begin_chunk(account, domain, allocation);
  } else {
    Dispute& dispute = begin_dispute(account, domain, address, allocation.event.ticks);
    join(account, domain, dispute, allocation);
  }
}

void Pairing::release_block(Account& account, uint16_t domain, const StreamEvent& release) {
  const uint64_t address = release.event.address;
  if (!account.disputes.empty()) {
    if (Dispute* dispute = account.disputes.find(address)) return join(account, domain, *dispute, release);
  }
  const auto block = account.live.find(address);
  if (block != account.live.end()) {
    const Chunk chunk = block->second;
    account.live.erase(block);
    close(account, domain, chunk, chunk.size);
    if (config_.one_stream || chunk.stream == release.stream)
      report_closed(account, domain, chunk, release);
    else
      hand_over(account, domain, chunk, release);
  } else if (config_.one_stream) {
    orphan(account, domain, release);
  } else {
    Dispute& dispute = begin_dispute(account, domain, address, release.event.ticks);
    join(account, domain, dispute, release);
  }
}

namespace {

bool is_recent(uint64_t before, uint64_t now, uint64_t window) { return now <= before || now - before <= window; }

Dispute::Entry entry_of(const Sites& sites, const Chunk& chunk, uint64_t address, bool is_closed) {
  const Event event{.ticks = chunk.alloc_ticks,
                    .address = address,
                    .size = chunk.size,
                    .stack = sites[chunk.site].stack,
                    .tag = chunk.tag,
                    .kind = EventKind::allocation,
                    .continues = false};
  return {{event, chunk.stream, chunk.thread, false}, chunk, true, is_closed};
}

}  // namespace

void Pairing::hand_over(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& release) {
  const uint64_t address = release.event.address, ticks = release.event.ticks;
  std::optional<HandOvers::HandOver>& place = account.hand_overs.place_of(address);
  if (place && is_recent(place->release.event.ticks, ticks, account.disputes.window_ticks())) {
    Dispute& dispute = begin_dispute(account, domain, place->release.event.address, ticks);
    if (dispute.address == address) {
      dispute.entries.push_back(entry_of(account.sites, chunk, address, true));
      dispute.entries.push_back({release});
      return;
    }
  }
  if (place) report_closed(account, domain, place->chunk, place->release);
  place = {chunk, release};
}

void Pairing::settle_hand_overs(Account& account, uint16_t domain) {
  for (std::optional<HandOvers::HandOver>& place : account.hand_overs.all()) {
    if (place) report_closed(account, domain, place->chunk, place->release);
    place.reset();
  }
}

// With all that is known of the address: a block handed over a moment ago, the live one.
Dispute& Pairing::begin_dispute(Account& account, uint16_t domain, uint64_t address, uint64_t ticks) {
  Dispute& dispute = account.disputes.begin(address, ticks);
  std::optional<HandOvers::HandOver>& place = account.hand_overs.place_of(address);
  if (place && place->release.event.address == address) {
    if (is_recent(place->release.event.ticks, ticks, account.disputes.window_ticks())) {
      dispute.entries.push_back(entry_of(account.sites, place->chunk, address, true));
      dispute.entries.push_back({place->release});
    } else {
      report_closed(account, domain, place->chunk, place->release);
    }
    place.reset();
  }
  const auto block = account.live.find(address);
  if (block != account.live.end()) {
    dispute.entries.push_back(entry_of(account.sites, block->second, address, false));
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
    close(account, domain, open->chunk, open->chunk.size);
    open->is_closed = true;
    open = dispute.entries.end();
  }
  if (open != dispute.entries.end()) return;
  const auto waiting = std::find_if(dispute.entries.begin(), dispute.entries.end(), is_waiting);
  if (waiting == dispute.entries.end()) return;
  waiting->chunk = begin_chunk(account, domain, waiting->arrived);
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
      if (!live->is_closed) close(account, domain, live->chunk, live->chunk.size);
      report_closed(account, domain, live->chunk, entry.arrived);
      live = nullptr;
      continue;
    }
    if (!entry.is_counted) entry.chunk = begin_chunk(account, domain, entry.arrived);
    entry.is_counted = true;
    if (live && live->is_closed) reopen(account, domain, live->chunk);
    if (live) displace(account, domain, live->chunk, entry.arrived);
    live = &entry;
  }
  if (live && live->is_closed) reopen(account, domain, live->chunk);
  if (live) live->is_closed = false;
  if (live && count == order.size()) account.live[dispute.address] = live->chunk;

  std::vector<Dispute::Entry> left;
  if (live && count < order.size()) left.push_back(*live);
  std::vector<bool> is_decided(order.size());
  for (size_t i = 0; i < count; ++i) is_decided[order[i]] = true;
  for (size_t i = 0; i < order.size(); ++i) {
    if (!is_decided[i]) left.push_back(dispute.entries[i]);
  }
  dispute.entries = std::move(left);
}

bool Pairing::cut_mappings(Account& account, uint16_t domain, const StreamEvent& release) {
  return account.mappings->unmap(release.event.address, release.event.size, [&](const Mappings::Cut& cut) {
    if (!cut.is_last) return shrink(account, domain, cut.chunk, cut.bytes);
    StreamEvent end = release;
    end.is_next_of_thread = release.is_next_of_thread && release.event.address == cut.address;
    const Release described = describe_end(account, cut.chunk, end);
    close(account, domain, cut.chunk, cut.bytes);
    if (described.is_temporary) account.sites.add_temporary(cut.chunk.site);
    if (visitor_) visitor_->closed(domain, cut.address, cut.chunk, account.sites[cut.chunk.site].stack, described);
  });
}

void Pairing::release_mapping(Account& account, uint16_t domain, const StreamEvent& release) {
  if (cut_mappings(account, domain, release)) return;
  if (config_.one_stream)
    orphan(account, domain, release);
  else
    account.pending.push(release);
}

void Pairing::allocate_mapping(Account& account, uint16_t domain, const StreamEvent& allocation) {
  // The kernel never gives out a mapped address by itself: what lies there is replaced (MAP_FIXED).
  StreamEvent replacement = allocation;
  replacement.event.size = std::max<uint64_t>(allocation.event.size, 1);
  cut_mappings(account, domain, replacement);
  account.mappings->map(allocation.event.address, begin_chunk(account, domain, allocation));
  const StreamEvent* waiting = account.pending.empty() ? nullptr : account.pending.oldest(allocation.event.address);
  if (!waiting) return;
  const StreamEvent release = account.pending.take_oldest(allocation.event.address);
  if (release.stream == allocation.stream)
    orphan(account, domain, release);
  else
    cut_mappings(account, domain, release);
}

void Pairing::settle_expired(Account& account, uint16_t domain, uint64_t now) {
  StreamEvent release;
  while (account.pending.take_expired(now, release)) orphan(account, domain, release);
  while (const auto dispute = account.disputes.take_expired(now)) {
    settle(account, domain, *dispute, dispute->entries.size());
  }
}

void Pairing::orphan(Account& account, uint16_t domain, const StreamEvent& release) {
  if (orphan_kind_ == OrphanKind::filtered)
    ++account.filtered_frees;
  else
    ++account.orphaned[static_cast<size_t>(orphan_kind_)];
  if (visitor_) visitor_->orphaned(domain, {release.event, release.thread, false, false}, orphan_kind_);
}

void Pairing::finish() {
  // There may be 65,536 of them: an index of 16 bits would never get past the last.
  for (size_t index = 0; index < accounts_.size(); ++index) {
    if (!accounts_[index]) continue;
    const auto domain = static_cast<uint16_t>(index);
    Account& account = *accounts_[index];
    settle_expired(account, domain, kEndOfTime);
    settle_hand_overs(account, domain);
    account.sites.settle();
    if (visitor_) report_open(account, domain);
  }
}

// In the order of their allocation.
void Pairing::report_open(const Account& account, uint16_t domain) {
  std::vector<std::pair<uint64_t, Chunk>> open(account.live.begin(), account.live.end());
  if (account.mappings)
    account.mappings->visit_open(
        [&](uint64_t address, const Chunk& chunk, uint64_t) { open.emplace_back(address, chunk); });
  std::sort(open.begin(), open.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.alloc_ticks, a.first) < std::pair(b.second.alloc_ticks, b.first);
  });
  for (const auto& [address, chunk] : open)
    visitor_->open(domain, address, chunk, account.sites[chunk.site].stack, false);
}

}  // namespace memprof
