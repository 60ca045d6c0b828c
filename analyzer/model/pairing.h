// Allocation meets free: takes all events in the order of the clock and keeps the accounts.
//
//   alloc(p), p not live            opens a block
//   free(p),  p live                closes it
//   free(p),  p not live            disputed (disputes.h): its allocation may have been stamped too late; else an
//   orphan alloc(p), p live                disputed: the free of the older block may have been; else a double
//   allocation: the
//                                   older block stays open for good
//   ranges of the mmap domain       a free or a new mapping cuts what lies in its range
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/account.h"
#include "model/clock.h"
#include "model/domains.h"
#include "model/findings.h"
#include "model/merge.h"
#include "model/site_keys.h"
#include "model/sum_observer.h"

namespace memprof {

class Pairing {
 public:
  struct Config {
    uint32_t flags = 0;  // format::FileFlags
    uint64_t window_ticks = 0;
    uint64_t memory_page_size = 4096;
    size_t thread_count = 0;
    bool one_stream = false;  // nothing can be inverted
    SiteKeys site_keys{};
  };
  static Config config_for(const TraceFile& file, const Clock& clock, const Merge& merge);

  // `visitor` and `observer` may be null. All references outlive the pairing.
  Pairing(const Domains& domains, const StackNodes& nodes, const Config& config, ChunkVisitor* visitor,
          SumObserver* observer = nullptr);

  void process(const Run& run);
  // After the last event: settles what is held and reports the open blocks.
  void finish();

  // By index of Domains::all(); null for a domain without events.
  const Account* account(uint16_t domain) const { return accounts_[domain].get(); }
  const Findings& findings() const { return findings_; }
  uint64_t event_count() const { return event_count_; }
  uint64_t last_ticks() const { return last_ticks_; }

 private:
  // The block that a thread allocated in its latest event: freed by the next one, it is temporary.
  struct LatestEvent {
    uint64_t address = 0;
    uint16_t domain = 0;
    bool is_allocation = false;
  };

  Account& account_of(uint16_t domain);
  // The four ways in which the open sums change.
  void close(Account& account, uint16_t domain, const Chunk& chunk, uint64_t bytes);
  void reopen(Account& account, uint16_t domain, const Chunk& chunk);
  void shrink(Account& account, uint16_t domain, const Chunk& chunk, uint64_t bytes);
  Chunk begin_chunk(Account& account, uint16_t domain, const StreamEvent& allocation);
  void tell_observer(const Account& account, uint16_t domain, const Chunk& chunk, SumChange::Kind kind, uint64_t bytes);

  bool note_event(const Event& event, uint16_t domain, uint32_t thread);

  void release_block(Account& account, uint16_t domain, const StreamEvent& release);
  void allocate_block(Account& account, uint16_t domain, const StreamEvent& allocation);
  void displace(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& allocation);
  // The block is out of the sums already.
  void report_closed(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& release);

  void hand_over(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& release);
  void settle_hand_overs(Account& account, uint16_t domain);
  Dispute& begin_dispute(Account& account, uint16_t domain, uint64_t address, uint64_t ticks);
  void join(Account& account, uint16_t domain, Dispute& dispute, const StreamEvent& arrived);
  // Decides the first `count` events of the dispute's order. The block that is then live goes on with those left, or,
  // where none is left, to the live blocks.
  void settle(Account& account, uint16_t domain, Dispute& dispute, size_t count);

  void release_mapping(Account& account, uint16_t domain, const StreamEvent& release);
  void allocate_mapping(Account& account, uint16_t domain, const StreamEvent& allocation);
  bool cut_mappings(Account& account, uint16_t domain, const StreamEvent& release);

  void settle_expired(Account& account, uint16_t domain, uint64_t now);
  void report_open(const Account& account, uint16_t domain);
  void orphan(Account& account, uint16_t domain, const StreamEvent& release);
  Release describe_end(Account& account, const Chunk& chunk, const StreamEvent& release);

  const Domains& domains_;
  const StackNodes& nodes_;
  const Config config_;
  const OrphanKind orphan_kind_;
  ChunkVisitor* visitor_;
  SumObserver* observer_;
  std::vector<std::unique_ptr<Account>> accounts_;
  std::vector<LatestEvent> latest_;  // by thread
  Findings findings_;
  uint64_t event_count_ = 0;
  uint64_t last_ticks_ = 0;
};

}  // namespace memprof
