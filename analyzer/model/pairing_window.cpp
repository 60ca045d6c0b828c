// Pairing where the window of a selection begins: what is live is carried into it.
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

// Until now each block's site was its stack, whether it is chosen or not. Which sites there are from now on, and how
// they are numbered, depends on nothing but what is carried: not on what went before, nor on the order of a table.
void Pairing::carry_blocks(Account& account, uint16_t domain) {
  const SiteDirectory before = std::exchange(account.directory, new_directory(domain));
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

  // By key, so that the numbers follow the stacks; the least tag stands for the first.
  std::map<StackId, std::map<uint16_t, Chunk>> sites;
  const auto key_of = [&](const Chunk& chunk) {
    return nodes_.canonical(config_.site_keys.of(before[chunk.site].stack, chunk.tag, chunk.thread));
  };
  std::vector<bool> is_known(before.all().size());
  const bool is_by_stack = config_.site_keys.by == SiteKeys::By::stack;
  visit_all([&](Chunk& chunk, uint64_t) {
    if (config_.choice &&
        !config_.choice->has_block(before[chunk.site].stack, chunk.tag, chunk.size, chunk.thread, chunk.number))
      return;
    // Most blocks have the stack and the tag of another.
    if (is_by_stack && is_known[chunk.site] && before[chunk.site].tag == chunk.tag) return;
    if (before[chunk.site].tag == chunk.tag) is_known[chunk.site] = true;
    sites[key_of(chunk)].try_emplace(chunk.tag, chunk);
  });
  for (const auto& [key, tags] : sites)
    for (const auto& [tag, chunk] : tags) site_for(account, domain, before[chunk.site].stack, chunk);
  visit_all([&](Chunk& chunk, uint64_t bytes) {
    chunk.site = site_for(account, domain, before[chunk.site].stack, chunk);
    tell(domain, chunk, SumOp::Kind::carried, bytes);
  });
  for (const auto& [address, chunk] : std::exchange(account.displaced, {}))
    if (visitor_ && chunk.is_chosen())
      visitor_->open(domain, address, chunk, account.directory[chunk.site].stack, true);
}

}  // namespace memprof
