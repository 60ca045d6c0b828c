// The blocks of one domain: what is live, what waits for its partner, the sums.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "model/block_table.h"
#include "model/chunk.h"
#include "model/disputes.h"
#include "model/mappings.h"
#include "model/pending_window.h"
#include "model/site_directory.h"
#include "model/sites.h"

namespace memprof {

// A block whose address was allocated again without a free: open for good, and no free can name it any more.
struct DisplacedBlock {
  uint64_t address;
  Chunk chunk;
};

struct Account {
  Account(SiteDirectory no_sites, uint64_t window_ticks)
      : directory(std::move(no_sites)), disputes(window_ticks), pending(window_ticks) {}

  // Written by Summing alone, complete when the analysis is.
  SiteDirectory directory;
  Sites sites;

  // The rest is pairing's.
  // Of domains whose blocks end whole.
  BlockTable live;
  // Until the window begins, or all along where there is none: a window carries them.
  std::vector<DisplacedBlock> displaced;
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

  uint64_t open_chunks() const { return sites.open_chunks(); }
  uint64_t open_bytes() const { return sites.open_bytes(); }
  // When the window of the analysis began; 0 without one.
  uint64_t carried_chunks() const { return sites.carried_chunks(); }
  uint64_t carried_bytes() const { return sites.carried_bytes(); }
  uint64_t closed_chunks() const { return carried_chunks() + allocations - open_chunks(); }
  uint64_t closed_bytes() const { return carried_bytes() + bytes_allocated - open_bytes(); }
  uint64_t orphans() const { return orphaned[0] + orphaned[1] + orphaned[2]; }
  uint64_t frees() const { return closed_chunks() + orphans(); }
  // Of another domain, all but its sites: what pairing has counted.
  void add_counts(const Account& other) {
    allocations += other.allocations;
    bytes_allocated += other.bytes_allocated;
    temporary += other.temporary;
    for (size_t kind = 0; kind < std::size(orphaned); ++kind) orphaned[kind] += other.orphaned[kind];
    filtered_frees += other.filtered_frees;
    double_allocations += other.double_allocations;
    mismatched_frees += other.mismatched_frees;
  }
  bool is_unused() const { return allocations == 0 && carried_chunks() == 0 && orphans() == 0 && filtered_frees == 0; }
};

}  // namespace memprof
