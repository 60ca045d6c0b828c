// The blocks of one domain: what is live, what waits for its partner, the sums.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <memory>

#include "model/chunk.h"
#include "model/disputes.h"
#include "model/mappings.h"
#include "model/pending_window.h"
#include "model/sites.h"
#include "trace/keyed_hash.h"

namespace memprof {

using LiveBlocks = tsl::robin_map<uint64_t, Chunk, KeyedHash>;

struct Account {
  Account(const StackNodes& nodes, bool dense_sites, uint64_t window_ticks)
      : sites(nodes, dense_sites), disputes(window_ticks), pending(window_ticks) {}

  Sites sites;
  // Of domains whose blocks end whole.
  LiveBlocks live;
  HandOvers hand_overs;
  Disputes disputes;
  // Of the others; null in the first.
  std::unique_ptr<Mappings> mappings;
  PendingWindow pending;

  uint64_t allocations = 0;
  uint64_t bytes_allocated = 0;
  uint64_t temporary = 0;
  uint64_t orphaned[3] = {};  // by OrphanKind; filtered ones are no orphans
  uint64_t filtered_frees = 0;
  uint64_t double_allocations = 0;
  uint64_t mismatched_frees = 0;  // by the tags alone
  // When the window of the selection began; 0 without one.
  uint64_t open_at_start_chunks = 0, open_at_start_bytes = 0;

  uint64_t open_chunks() const { return sites.open_chunks(); }
  uint64_t open_bytes() const { return sites.open_bytes(); }
  uint64_t closed_chunks() const { return allocations + open_at_start_chunks - open_chunks(); }
  uint64_t closed_bytes() const { return bytes_allocated + open_at_start_bytes - open_bytes(); }
  uint64_t orphans() const { return orphaned[0] + orphaned[1] + orphaned[2]; }
  uint64_t frees() const { return closed_chunks() + orphans(); }
  bool is_unused() const { return allocations == 0 && open_at_start_chunks == 0 && orphans() == 0 && filtered_frees == 0; }
};

}  // namespace memprof
