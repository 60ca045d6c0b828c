// Allocation meets free: takes all events in the order of the clock and keeps the accounts.
//
//   alloc(p), p not live            opens a block
//   free(p),  p live                closes it
//   free(p),  p not live            disputed (disputes.h): its allocation may have been stamped too late;
//                                   else an orphan
//   alloc(p), p live                disputed: the free of the older block may have been; else a double
//                                   allocation: the older block stays open for good
//   ranges of the mmap domain       a free or a new mapping cuts what lies in its range
//
// Before the window of a selection begins, nothing is counted or told: blocks only become live and end. When it begins,
// what is live is carried into it (begin_window). What pairing tells of the sums goes into SumOps; which numbers it
// keeps itself stands in Account.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/account.h"
#include "model/block_types.h"
#include "model/choice.h"
#include "model/clock.h"
#include "model/domains.h"
#include "model/findings.h"
#include "model/merge.h"
#include "model/site_keys.h"
#include "model/sum_ops.h"

namespace memprof {

class ByteReader;
class ByteWriter;

class Pairing {
 public:
  struct Config {
    uint32_t flags = 0;         // format::FileFlags
    uint64_t window_ticks = 0;  // of disputes
    // When recording missed something for the first time: no orphan from before is explained by that. 0: not told.
    uint64_t first_pause_ticks = 0;
    uint64_t memory_page_size = 4096;
    size_t thread_count = 0;
    size_t stream_count = 0;
    SiteKeys site_keys{};
    uint64_t from_ticks = 0;               // where the selection's window begins
    const Choice* choice = nullptr;        // null: every block
    const SitesByNumber* sites = nullptr;  // of blocks that do not count for their stack; null: of none
  };
  static Config config_for(const TraceFile& file, const Clock& clock, const EventFeed& feed);

  // `visitor` may be null. All references outlive the pairing.
  Pairing(const Domains& domains, const StackNodes& nodes, const Config& config, ChunkVisitor* visitor);

  // Appends to `ops`.
  void process(const Batch& batch, SumOps& ops);
  // After the last event: settles what is held and reports the open blocks.
  void finish(SumOps& ops);

  // Between two events, without a selection: what is known by then, for restore(). False, and nothing to be used, while
  // events are in dispute.
  bool save(ByteWriter& out) const;
  // Fewer than that save() does not write.
  uint64_t least_state_bytes() const;
  // In place of the events before that moment, which is before the window. Returns how many numbers the blocks took;
  // nothing, and no use of this any more, when the bytes are not what save() writes.
  std::optional<uint64_t> restore(ByteReader& in);

  // By index of Domains::all(); null for a domain without events.
  const Account* account(uint16_t domain) const { return accounts_[domain].get(); }
  const std::vector<std::unique_ptr<Account>>& accounts() const { return accounts_; }
  const Findings& findings() const { return findings_; }
  // In the window.
  uint64_t event_count() const { return event_count_; }
  uint64_t last_ticks() const { return last_ticks_; }

 private:
  // The block that a thread allocated in its latest event: freed by the next one, it is temporary.
  struct LatestEvent {
    uint64_t address = 0;
    uint16_t domain = 0;
    bool is_allocation = false;
  };

  Account& account_of(uint16_t domain) { return accounts_[domain] ? *accounts_[domain] : add_account(domain); }
  Account& add_account(uint16_t domain);
  void take(const Event& event, Origin origin);
  bool note_event(const Event& event, uint16_t domain, uint32_t thread);
  // Nothing can be inverted.
  bool is_one_stream() const { return config_.stream_count <= 1; }
  bool is_counted(const Chunk& chunk) const { return in_window_ && chunk.is_chosen(); }

  // The window begins: it becomes known which blocks are chosen.
  void begin_window();
  void carry_blocks(Account& account, uint16_t domain);
  // kNotChosen, or what it counts for.
  StackId chosen_stack(const Chunk& chunk) const {
    const Choice* const choice = config_.choice;
    if (choice && !choice->has_block(chunk.stack, chunk.tag, chunk.size, chunk.thread, chunk.number)) return kNotChosen;
    return __builtin_expect(config_.sites != nullptr, 0) ? counted_stack(chunk) : chunk.stack;
  }
  StackId counted_stack(const Chunk& chunk) const {
    const auto site = config_.sites->find(chunk.number);
    return site == config_.sites->end() ? chunk.stack : site->second;
  }
  // What its site is: the stack that allocated it, or the group.
  StackId site_of(const Chunk& chunk) const {
    return nodes_.canonical(config_.site_keys.of(chunk.stack, chunk.tag, chunk.thread));
  }

  static bool is_temporary(const Chunk& chunk, const Origin& release) {
    return release.is_next_of_thread && chunk.thread == release.thread;
  }
  static SumOp::Kind close_kind(const Chunk& chunk, const Origin& release) {
    return is_temporary(chunk, release) ? SumOp::Kind::closed_temporary : SumOp::Kind::closed;
  }

  // How the open sums change.
  void tell(uint16_t domain, const Chunk& chunk, SumOp::Kind kind, uint64_t bytes) {
    if (is_counted(chunk)) push_op(domain, chunk, kind, bytes, last_ticks_);
  }
  void push_op(uint16_t domain, const Chunk& chunk, SumOp::Kind kind, uint64_t bytes, uint64_t ticks) {
    ops_->push(bytes, ticks, chunk.stack, chunk.thread, chunk.tag, domain, kind);
  }
  void close(uint16_t domain, Dispute::Entry& entry);
  void reopen(uint16_t domain, Dispute::Entry& entry);
  // Fills `chunk`: in place, as every copy of one waits for what was just stored.
  void begin_chunk(Account& account, uint16_t domain, const Event& allocation, const Origin& origin, Chunk& chunk);
  void fill_chunk(Account& account, uint16_t domain, const Event& allocation, const Origin& origin, Chunk& chunk);

  void release_block(Account& account, uint16_t domain, const Event& release, const Origin& origin);
  void allocate_block(Account& account, uint16_t domain, const Event& allocation, const Origin& origin);
  void displace(Account& account, uint16_t domain, const Chunk& chunk, const Event& allocation);
  // The end of a block that left the sums in the window.
  void report_closed(Account& account, uint16_t domain, uint64_t address, const Chunk& chunk, const Event& release,
                     const Origin& origin) {
    if (!chunk.is_chosen()) return;
    account.temporary += is_temporary(chunk, origin);
    const bool is_mismatched = are_mismatched(domains_.tag(chunk.tag).family, domains_.tag(release.tag).family);
    if (is_mismatched || visitor_) explain_closed(account, domain, address, chunk, release, origin, is_mismatched);
  }
  // To the findings and the visitor: few analyses have one.
  void explain_closed(Account& account, uint16_t domain, uint64_t address, const Chunk& chunk, const Event& release,
                      const Origin& origin, bool is_mismatched);

  void hand_over(Account& account, uint16_t domain, const Chunk& chunk, const StreamEvent& release);
  void report_hand_over(Account& account, uint16_t domain, const HandOvers::HandOver& hand_over);
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

  const Domains& domains_;
  const StackNodes& nodes_;
  const Config config_;
  const OrphanKind orphan_kind_;
  ChunkVisitor* visitor_;
  SumOps* ops_ = nullptr;  // while a call is under way
  std::vector<std::unique_ptr<Account>> accounts_;
  std::vector<LatestEvent> latest_;  // by thread
  Findings findings_;
  bool in_window_;
  uint64_t event_count_ = 0;
  uint64_t last_ticks_ = 0;
};

}  // namespace memprof
