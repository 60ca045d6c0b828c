// Pairing where the window of a selection begins: what is live is carried into it.
#include <tsl/robin_set.h>

#include <algorithm>
#include <map>
#include <utility>

#include "model/pairing.h"

namespace memprof {

void Pairing::begin_window() {
  // What was in dispute long before is decided before.
  for (size_t domain = 0; domain < accounts_.size(); ++domain)
    if (accounts_[domain]) settle_expired(*accounts_[domain], static_cast<uint16_t>(domain), config_.from_ticks);
  last_ticks_ = std::max(last_ticks_, config_.from_ticks);
  in_window_ = true;
  for (size_t domain = 0; domain < accounts_.size(); ++domain)
    if (accounts_[domain]) carry_blocks(*accounts_[domain], static_cast<uint16_t>(domain));
}

// Until now nothing was counted. Which sites there are from now on, and how they are numbered, depends on nothing but
// what is carried: not on what went before, nor on the order of a table.
void Pairing::carry_blocks(Account& account, uint16_t domain) {
  const auto visit_all = [&](auto&& visit) {  // visit(chunk, bytes)
    account.live.visit([&](uint64_t, Chunk& chunk) { visit(chunk, chunk.size); });
    if (account.mappings)
      account.mappings->visit_open([&](uint64_t, Chunk& chunk, uint64_t bytes) { visit(chunk, bytes); });
    for (DisplacedBlock& block : account.displaced) visit(block.chunk, block.chunk.size);
    account.disputes.visit([&](Dispute& dispute) {
      for (Dispute::Entry& entry : dispute.entries)
        if (entry.is_counted && !entry.is_closed) visit(entry.chunk, entry.chunk.size);
    });
  };

  // By site, so that the numbers follow the stacks; the least tag stands for the first.
  std::map<StackId, std::map<uint16_t, Chunk>> sites;
  tsl::robin_set<uint64_t> known;  // most blocks have the stack and the tag of another
  visit_all([&](Chunk& chunk, uint64_t) {
    chunk.stack = chosen_stack(chunk);
    if (!chunk.is_chosen()) return;
    const StackId key = config_.site_keys.of(chunk.stack, chunk.tag, chunk.thread);
    // The hash of a number is itself, and of that the low bits count: the key, which differs.
    if (known.insert(uint64_t{chunk.tag} << 32 | key).second)
      sites[nodes_.canonical(key)].try_emplace(chunk.tag, chunk);
  });
  for (const auto& [key, tags] : sites)
    for (const auto& [tag, chunk] : tags) tell(domain, chunk, SumOp::Kind::site, 0);
  visit_all([&](const Chunk& chunk, uint64_t bytes) { tell(domain, chunk, SumOp::Kind::carried, bytes); });
  for (const auto& [address, chunk] : std::exchange(account.displaced, {}))
    if (visitor_ && chunk.is_chosen()) visitor_->open(domain, address, chunk, site_of(chunk), true);
}

}  // namespace memprof
