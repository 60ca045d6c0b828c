#include "model/pairing.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace memprof {

namespace {

// Events whose places are asked for ahead of the one that is paired.
constexpr size_t kPrefetchDistance = 12;

OrphanKind orphan_kind_of(uint32_t flags) {
  if (flags & format::kFiltered) return OrphanKind::filtered;
  if (flags & format::kForkChild) return OrphanKind::inherited;
  if (flags & format::kLateStart) return OrphanKind::before_start;
  return OrphanKind::unknown;
}

// The events of a batch, one after the other.
class EventCursor {
 public:
  explicit EventCursor(const Batch& batch) : run_(batch.runs.data()), runs_end_(run_ + batch.runs.size()) {
    if (run_ != runs_end_) enter();
  }
  const Event* next() {
    // Not in this core's cache, where another one decoded.
    if (run_end_ - event_ > kEventsAhead) __builtin_prefetch(event_ + kEventsAhead);
    if (event_ == run_end_) {
      if (run_ == runs_end_ || ++run_ == runs_end_) return nullptr;
      enter();
    }
    return event_++;
  }

 private:
  static constexpr std::ptrdiff_t kEventsAhead = 96;

  void enter() {
    event_ = run_->events.data();
    run_end_ = event_ + run_->events.size();
  }
  const Run* run_;
  const Run* runs_end_;
  const Event* event_ = nullptr;
  const Event* run_end_ = nullptr;
};

}  // namespace

Pairing::Config Pairing::config_for(const TraceFile& file, const Clock& clock, const EventFeed& feed) {
  Config config;
  config.flags = file.flags();
  const bool has_orphans = (config.flags & (format::kForkChild | format::kLateStart | format::kFiltered)) != 0;
  config.window_ticks =
      std::max<uint64_t>(clock.ticks_of_duration(has_orphans ? kReorderWindowWithOrphansNs : kReorderWindowNs),
                         uint64_t{2} << file.header().time_shift);
  config.memory_page_size = file.header().memory_page_size;
  config.thread_count = feed.threads().size();
  config.stream_count = feed.stream_count();
  return config;
}

Pairing::Pairing(const Domains& domains, const StackNodes& nodes, const Config& config, ChunkVisitor* visitor)
    : domains_(domains),
      nodes_(nodes),
      config_(config),
      orphan_kind_(orphan_kind_of(config.flags)),
      visitor_(visitor),
      accounts_(domains.all().size()),
      latest_(config.thread_count),
      in_window_(config.from_ticks == 0) {}

Account& Pairing::add_account(uint16_t domain) {
  accounts_[domain] = std::make_unique<Account>(SiteDirectory(nodes_, domain == Domains::kHeap), config_.window_ticks);
  Account& account = *accounts_[domain];
  if (domains_.all()[domain].is_mapping) account.mappings = std::make_unique<Mappings>(config_.memory_page_size);
  return account;
}

void Pairing::process(const Batch& batch, SumOps& ops) {
  ops_ = &ops;
  EventCursor ahead(batch);
  const auto prefetch_next = [&, heap = accounts_[Domains::kHeap].get()] {
    const Event* const event = heap ? ahead.next() : nullptr;
    if (event) heap->live.prefetch(event->address);
  };
  for (size_t i = 0; i < kPrefetchDistance; ++i) prefetch_next();
  uint64_t number = batch.first_number;
  for (const Run& run : batch.runs) {
    for (const Event& event : run.events) {
      prefetch_next();
      take(event, {number++, run.stream, run.thread, false});
    }
  }
}

inline void Pairing::take(const Event& event, Origin origin) {
  const uint16_t domain = domains_.tag(event.tag).domain;
  Account& account = account_of(domain);
  if (!in_window_ && event.ticks >= config_.from_ticks) begin_window();
  last_ticks_ = std::max(last_ticks_, event.ticks);
  if (!account.pending.empty() || !account.disputes.empty()) settle_expired(account, domain, event.ticks);
  origin.is_next_of_thread = note_event(event, domain, origin.thread);
  if (account.mappings) {
    const StreamEvent arrived{origin, event};
    event.kind == EventKind::allocation ? allocate_mapping(account, domain, arrived)
                                        : release_mapping(account, domain, arrived);
  } else if (event.kind == EventKind::allocation) {
    allocate_block(account, domain, event, origin);
  } else {
    release_block(account, domain, event, origin);
  }
}

// True for a release of the block that the thread's event before this one allocated.
inline bool Pairing::note_event(const Event& event, uint16_t domain, uint32_t thread) {
  LatestEvent& latest = latest_[thread];
  if (in_window_) event_count_ += !event.continues;
  if (event.kind == EventKind::allocation) {
    latest = {event.address, domain, true};
    return false;
  }
  const bool is_next =
      latest.is_allocation && latest.address == event.address && latest.domain == domain && !event.follows_gap;
  latest.is_allocation = false;
  return is_next;
}

// By force: of every allocation, and gcc has another opinion.
[[gnu::always_inline]] inline void Pairing::fill_chunk(Account& account, uint16_t domain, const Event& event,
                                                       const Origin& origin, Chunk& chunk) {
  const StackId stack = event.stack != kNotChosen ? event.stack : StackNodes::kLostStack;
  chunk = {event.size, event.ticks, origin.number, stack, origin.thread, origin.stream, event.tag};
  // What a block from before the window counts for is decided when the window begins.
  if (!in_window_) return;
  chunk.stack = chosen_stack(chunk);
  if (!chunk.is_chosen()) return;
  if (event.ticks < config_.from_ticks) {  // it was in dispute when the window began
    tell(domain, chunk, SumOp::Kind::carried, event.size);
    return;
  }
  ++account.allocations;
  account.bytes_allocated += event.size;
  if (event.ticks != last_ticks_) push_op(domain, chunk, SumOp::Kind::stamp, 0, event.ticks);
  tell(domain, chunk, SumOp::Kind::allocated, event.size);
}

void Pairing::begin_chunk(Account& account, uint16_t domain, const Event& event, const Origin& origin, Chunk& chunk) {
  fill_chunk(account, domain, event, origin, chunk);
}

void Pairing::explain_closed(Account& account, uint16_t domain, uint64_t address, const Chunk& chunk,
                             const Event& release, const Origin& origin, bool is_mismatched) {
  if (is_mismatched) {
    ++account.mismatched_frees;
    findings_.add_mismatch(site_of(chunk), chunk.tag, nodes_.canonical(release.stack), release.tag, chunk.size);
  }
  if (!visitor_) return;
  visitor_->closed(domain, address, chunk, site_of(chunk),
                   {release, origin.number, origin.thread, is_temporary(chunk, origin), is_mismatched});
}

// The block stays open in every sum; only its address is given to the new one.
void Pairing::displace(Account& account, uint16_t domain, const Chunk& chunk, const Event& allocation) {
  if (!in_window_ || config_.from_ticks == 0) account.displaced.push_back({allocation.address, chunk});
  if (!is_counted(chunk)) return;
  if (allocation.ticks >= config_.from_ticks) {  // else it was in dispute when the window began
    ++account.double_allocations;
    findings_.add_double_allocation(site_of(chunk), chunk.tag, nodes_.canonical(allocation.stack), allocation.tag,
                                    allocation.address);
  }
  if (visitor_) visitor_->open(domain, allocation.address, chunk, site_of(chunk), true);
}

inline void Pairing::allocate_block(Account& account, uint16_t domain, const Event& allocation, const Origin& origin) {
  const uint64_t address = allocation.address;
  if (!account.disputes.empty()) {
    if (Dispute* dispute = account.disputes.find(address)) return join(account, domain, *dispute, {origin, allocation});
  }
  const auto [block, is_new] = account.live.find_or_add(address);
  if (is_new) {
    fill_chunk(account, domain, allocation, origin, block.chunk);
  } else if (is_one_stream()) {
    displace(account, domain, block.chunk, allocation);
    begin_chunk(account, domain, allocation, origin, block.chunk);
  } else {
    join(account, domain, begin_dispute(account, domain, address, allocation.ticks), {origin, allocation});
  }
}

inline void Pairing::release_block(Account& account, uint16_t domain, const Event& release, const Origin& origin) {
  const uint64_t address = release.address;
  if (!account.disputes.empty()) {
    if (Dispute* dispute = account.disputes.find(address)) return join(account, domain, *dispute, {origin, release});
  }
  if (BlockTable::Block* const block = account.live.find(address)) {
    const Chunk chunk = block->chunk;
    account.live.erase(block);
    if (!is_one_stream() && chunk.stream != origin.stream) {
      tell(domain, chunk, SumOp::Kind::closed, chunk.size);
      return hand_over(account, domain, chunk, {origin, release});
    }
    if (!is_counted(chunk)) return;
    tell(domain, chunk, close_kind(chunk, origin), chunk.size);
    report_closed(account, domain, address, chunk, release, origin);
  } else if (is_one_stream()) {
    orphan(account, domain, {origin, release});
  } else {
    join(account, domain, begin_dispute(account, domain, address, release.ticks), {origin, release});
  }
}

bool Pairing::cut_mappings(Account& account, uint16_t domain, const StreamEvent& release) {
  // An older mapping of the same address may have lost its begin to a newer one: the thread's last allocation is what
  // lies there now.
  std::optional<uint64_t> first;
  return account.mappings->unmap(release.event.address, release.event.size, [&](const Mappings::Cut& cut) {
    if (!first) first = cut.chunk.number;
    if (!cut.is_last) {
      if (visitor_) visitor_->cut(cut.chunk, release.event, release.number);
      return tell(domain, cut.chunk, SumOp::Kind::shrunk, cut.bytes);
    }
    if (!is_counted(cut.chunk)) return;
    StreamEvent last = release;
    last.is_next_of_thread =
        release.is_next_of_thread && release.event.address == cut.address && cut.chunk.number == *first;
    tell(domain, cut.chunk, close_kind(cut.chunk, last), cut.bytes);
    report_closed(account, domain, cut.address, cut.chunk, last.event, last);
  });
}

void Pairing::release_mapping(Account& account, uint16_t domain, const StreamEvent& release) {
  if (cut_mappings(account, domain, release)) return;
  if (is_one_stream())
    orphan(account, domain, release);
  else
    account.pending.push(release);
}

void Pairing::allocate_mapping(Account& account, uint16_t domain, const StreamEvent& allocation) {
  // The kernel never gives out a mapped address by itself: what lies there is replaced (MAP_FIXED).
  StreamEvent replacement = allocation;
  replacement.event.size = std::max<uint64_t>(allocation.event.size, 1);
  cut_mappings(account, domain, replacement);
  Chunk chunk;
  begin_chunk(account, domain, allocation.event, allocation, chunk);
  account.mappings->map(allocation.event.address, chunk);
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
  if (!in_window_ || release.event.ticks < config_.from_ticks) return;
  if (config_.choice && !config_.choice->has_orphan(release.event, release.thread)) return;
  const bool is_explained =
      orphan_kind_ != OrphanKind::before_start || release.event.ticks >= config_.first_pause_ticks;
  const OrphanKind kind = is_explained ? orphan_kind_ : OrphanKind::unknown;
  if (kind == OrphanKind::filtered)
    ++account.filtered_frees;
  else
    ++account.orphaned[static_cast<size_t>(kind)];
  if (visitor_) visitor_->orphaned(domain, {release.event, release.number, release.thread, false, false}, kind);
}

void Pairing::finish(SumOps& ops) {
  ops_ = &ops;
  const uint64_t last_ticks = last_ticks_;
  if (!in_window_) begin_window();
  // There may be 65,536 of them: an index of 16 bits would never get past the last.
  for (size_t index = 0; index < accounts_.size(); ++index) {
    if (!accounts_[index]) continue;
    const auto domain = static_cast<uint16_t>(index);
    Account& account = *accounts_[index];
    settle_expired(account, domain, kEndOfTime);
    settle_hand_overs(account, domain);
    if (visitor_) report_open(account, domain);
  }
  last_ticks_ = last_ticks;  // of an event, also where the window begins behind the last
}

// In the order of their allocation.
void Pairing::report_open(const Account& account, uint16_t domain) {
  std::vector<std::pair<uint64_t, Chunk>> open;
  const auto add = [&](uint64_t address, const Chunk& chunk, uint64_t) {
    if (chunk.is_chosen()) open.emplace_back(address, chunk);
  };
  account.live.visit([&](uint64_t address, const Chunk& chunk) { add(address, chunk, 0); });
  if (account.mappings) std::as_const(*account.mappings).visit_open(add);
  std::sort(open.begin(), open.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.alloc_ticks, a.first) < std::pair(b.second.alloc_ticks, b.first);
  });
  std::unordered_map<uint64_t, std::vector<Range>> left_over;  // by the chunk's number
  if (account.mappings)
    account.mappings->visit_left_over([&](const Chunk& chunk, uint64_t begin, uint64_t end) {
      left_over[chunk.number].push_back({begin, end});
    });
  for (const auto& [address, chunk] : open) {
    if (const auto ranges = left_over.find(chunk.number); ranges != left_over.end())
      visitor_->left_over(ranges->second);
    visitor_->open(domain, address, chunk, site_of(chunk), false);
  }
}

}  // namespace memprof
