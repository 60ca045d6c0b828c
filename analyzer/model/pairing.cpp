#include "model/pairing.h"

#include <algorithm>

namespace memprof {

namespace {

constexpr uint64_t kForever = UINT64_MAX;

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

Pairing::Pairing(const Domains& domains, const StackNodes& nodes, const Config& config, ChunkVisitor* visitor)
    : domains_(domains),
      nodes_(nodes),
      config_(config),
      orphan_kind_(orphan_kind_of(config.flags)),
      visitor_(visitor),
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

// True for a release of the block that the thread's event before this one allocated.
bool Pairing::note_event(const Event& event, uint16_t domain, uint32_t thread) {
  LatestEvent& latest = latest_[thread];
  event_count_ += !event.continues;
  if (event.kind == EventKind::allocation) {
    latest = {event.address, domain, true};
    return false;
  }
  const bool is_next = latest.is_allocation && latest.address == event.address && latest.domain == domain;
  latest.is_allocation = false;
  return is_next;
}

void Pairing::process(const Run& run) {
  for (const Event& event : run.events) {
    const uint16_t domain = domains_.tag(event.tag).domain;
    Account& account = account_of(domain);
    last_ticks_ = std::max(last_ticks_, event.ticks);
    if (!account.pending.empty()) settle_expired(account, domain, event.ticks);
    const bool is_next = note_event(event, domain, run.thread);
    const PendingEvent arrived{event, run.stream, run.thread, is_next};
    if (event.kind == EventKind::allocation)
      account.mappings ? allocate_mapping(account, domain, arrived) : allocate_block(account, domain, arrived);
    else
      account.mappings ? release_mapping(account, domain, arrived) : release_block(account, domain, arrived);
  }
}

Chunk Pairing::begin_chunk(Account& account, const PendingEvent& allocation) {
  const Event& event = allocation.event;
  const SiteIndex site = account.sites.site_of(event.stack, event.tag);
  account.sites.add_allocation(site, event.tag, event.size, event.ticks);
  ++account.allocations;
  account.bytes_allocated += event.size;
  return {event.size, event.ticks, site, allocation.thread, event.tag};
}

Release Pairing::describe_end(Account& account, const Chunk& chunk, const PendingEvent& release) {
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

void Pairing::open_block(Account& account, const PendingEvent& allocation) {
  account.live.emplace(allocation.event.address, begin_chunk(account, allocation));
}

void Pairing::close_block(Account& account, uint16_t domain, LiveBlocks::iterator block, const PendingEvent& release) {
  const Chunk chunk = block->second;
  account.live.erase(block);
  const Release end = describe_end(account, chunk, release);
  account.sites.close(chunk.site, chunk.size, end.is_temporary);
  if (visitor_) visitor_->closed(domain, release.event.address, chunk, account.sites[chunk.site].stack, end);
}

// The block stays open in every sum; only its address is given to the new one.
void Pairing::displace_block(Account& account, uint16_t domain, LiveBlocks::iterator block,
                             const PendingEvent& allocation) {
  const Chunk chunk = block->second;
  account.live.erase(block);
  ++account.double_allocations;
  findings_.add_double_allocation(account.sites[chunk.site].stack, chunk.tag, nodes_.canonical(allocation.event.stack),
                                  allocation.event.tag, allocation.event.address);
  if (visitor_) visitor_->open(domain, allocation.event.address, chunk, account.sites[chunk.site].stack, true);
}

void Pairing::allocate_block(Account& account, uint16_t domain, const PendingEvent& allocation) {
  const uint64_t address = allocation.event.address;
  const auto block = account.live.find(address);
  if (block != account.live.end()) {
    if (config_.one_stream) {
      displace_block(account, domain, block, allocation);
      open_block(account, allocation);
    } else {
      account.pending.push(allocation);
    }
    return;
  }
  const PendingEvent* waiting = account.pending.empty() ? nullptr : account.pending.oldest(address);
  if (!waiting) return open_block(account, allocation);
  const PendingEvent release = account.pending.take_oldest(address);
  // Of one stream: the free was truly before the allocation, so it freed something else.
  if (release.stream == allocation.stream) orphan(account, domain, release);
  open_block(account, allocation);
  if (release.stream != allocation.stream) close_block(account, domain, account.live.find(address), release);
}

void Pairing::release_block(Account& account, uint16_t domain, const PendingEvent& release) {
  const uint64_t address = release.event.address;
  const auto block = account.live.find(address);
  if (block == account.live.end()) {
    if (config_.one_stream)
      orphan(account, domain, release);
    else
      account.pending.push(release);
    return;
  }
  const PendingEvent* waiting = account.pending.empty() ? nullptr : account.pending.oldest(address);
  if (!waiting) return close_block(account, domain, block, release);
  const PendingEvent allocation = account.pending.take_oldest(address);
  if (allocation.stream == release.stream) {
    // The thread frees what it allocated itself: nothing has freed the older block.
    displace_block(account, domain, block, allocation);
    open_block(account, allocation);
    close_block(account, domain, account.live.find(address), release);
  } else {
    close_block(account, domain, block, release);
    open_block(account, allocation);
  }
}

bool Pairing::cut_mappings(Account& account, uint16_t domain, const PendingEvent& release) {
  return account.mappings->unmap(release.event.address, release.event.size, [&](const Mappings::Cut& cut) {
    if (!cut.is_last) return account.sites.shrink(cut.chunk.site, cut.bytes);
    PendingEvent end = release;
    end.is_next_of_thread = release.is_next_of_thread && release.event.address == cut.address;
    const Release described = describe_end(account, cut.chunk, end);
    account.sites.close(cut.chunk.site, cut.bytes, described.is_temporary);
    if (visitor_) visitor_->closed(domain, cut.address, cut.chunk, account.sites[cut.chunk.site].stack, described);
  });
}

void Pairing::release_mapping(Account& account, uint16_t domain, const PendingEvent& release) {
  if (cut_mappings(account, domain, release)) return;
  if (config_.one_stream)
    orphan(account, domain, release);
  else
    account.pending.push(release);
}

void Pairing::allocate_mapping(Account& account, uint16_t domain, const PendingEvent& allocation) {
  // The kernel never gives out a mapped address by itself: what lies there is replaced (MAP_FIXED).
  PendingEvent replacement = allocation;
  replacement.event.size = std::max<uint64_t>(allocation.event.size, 1);
  cut_mappings(account, domain, replacement);
  account.mappings->map(allocation.event.address, begin_chunk(account, allocation));
  const PendingEvent* waiting = account.pending.empty() ? nullptr : account.pending.oldest(allocation.event.address);
  if (!waiting) return;
  const PendingEvent release = account.pending.take_oldest(allocation.event.address);
  if (release.stream == allocation.stream)
    orphan(account, domain, release);
  else
    cut_mappings(account, domain, release);
}

void Pairing::settle_expired(Account& account, uint16_t domain, uint64_t now) {
  PendingEvent expired;
  while (account.pending.take_expired(now, expired)) {
    if (expired.event.kind == EventKind::release) {
      orphan(account, domain, expired);
      continue;
    }
    const auto block = account.live.find(expired.event.address);
    if (block != account.live.end()) displace_block(account, domain, block, expired);
    open_block(account, expired);
  }
}

void Pairing::orphan(Account& account, uint16_t domain, const PendingEvent& release) {
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
    settle_expired(account, domain, kForever);
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
