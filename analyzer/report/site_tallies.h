// What the sites of some domains do not keep themselves: how long their freed blocks lived, what their reallocs gained.
//
// A lifetime is from the allocation to the free; blocks still open have none yet. A realloc takes a block, which may be
// another site's, and returns one. Growth is the bytes that a site's realloc calls returned less those that they took:
// realloc(NULL, n) takes nothing, and so does one of a block that was never seen allocated. A realloc(p, 0) that freed
// p is a free and no realloc, except with MEMPROF_FREE_STACKS, where it counts as one that returns nothing; without a
// stack the two cannot be told apart, and such a call takes nothing. In a window only what its calls took and returned
// counts.
#pragma once

#include <tsl/robin_map.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/analysis.h"

namespace memprof {

__extension__ using WideSum = unsigned __int128;

struct SiteTally {
  uint64_t freed = 0;
  WideSum lifetime_ns = 0;
  uint64_t reallocs = 0;  // that returned a block
  uint64_t bytes_taken = 0, bytes_returned = 0;

  uint64_t lifetime_sum_ns() const { return static_cast<uint64_t>(std::min<WideSum>(lifetime_ns, UINT64_MAX)); }
  uint64_t lifetime_mean_ns() const { return freed == 0 ? 0 : static_cast<uint64_t>(lifetime_ns / freed); }
  uint64_t gained_bytes() const { return bytes_returned > bytes_taken ? bytes_returned - bytes_taken : 0; }
  uint64_t lost_bytes() const { return bytes_taken > bytes_returned ? bytes_taken - bytes_returned : 0; }
};

class SiteTallies : public ChunkVisitor {
 public:
  SiteTallies(const Trace& trace, const DomainSet& domains);

  void begin(const std::vector<Thread>& threads) override;
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId site, const Release& release) override;
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId site, bool is_displaced) override;
  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override;

  const SiteTally& of(StackId site) const;
  const SiteTally& all() const { return all_; }

 private:
  void returned(const Chunk& chunk, StackId site);

  const Trace& trace_;
  const DomainSet domains_;
  std::vector<bool> is_realloc_;  // by tag
  tsl::robin_map<StackId, SiteTally, KeyedHash> tallies_;
  SiteTally all_;
};

}  // namespace memprof
