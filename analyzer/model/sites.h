// One account per stack: what was allocated there, what is open, its own peak, and its share of the highest moment.
//
// The share at the peak is exact and costs O(1) an event. `peak_epoch` counts the new maxima of the whole domain. When
// a site is about to change and has not been touched since the last maximum, its open bytes are what they were at that
// maximum: they are put aside then. A site that never changes afterwards is settled at the end.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <vector>

#include "trace/stack_nodes.h"

namespace memprof {

using SiteIndex = uint32_t;

struct Site {
  uint64_t open_bytes = 0;
  uint64_t open_chunks = 0;
  uint64_t allocations = 0;
  uint64_t bytes_allocated = 0;
  uint64_t peak_bytes = 0;  // the site's own maximum
  uint64_t peak_ticks = 0;
  uint64_t settled_epoch = 0;  // the maximum that the next two belong to
  uint64_t at_peak_bytes = 0;
  uint64_t at_peak_chunks = 0;
  uint64_t temporary = 0;
  uint64_t carried_chunks = 0, carried_bytes = 0;  // open when the window of the selection began
  StackId stack = 0;  // canonical
  uint16_t tag = 0;   // of the first allocation
  bool has_other_tags = false;

  uint64_t closed_chunks() const { return allocations + carried_chunks - open_chunks; }
  uint64_t closed_bytes() const { return bytes_allocated + carried_bytes - open_bytes; }
};

class Sites {
 public:
  // `dense`: an array by stack id, fast and as large as the ids; else a hash map (domains with few events).
  Sites(const StackNodes& nodes, bool dense);

  SiteIndex site_of(StackId stack, uint16_t tag) {
    if (stack < by_stack_.size() && by_stack_[stack] != kNone) return by_stack_[stack];
    return find_or_add(stack, tag);
  }

  void add_allocation(SiteIndex index, uint16_t tag, uint64_t size, uint64_t ticks) {
    Site& site = sites_[index];
    put_peak_aside(site);
    ++site.allocations;
    site.bytes_allocated += size;
    ++site.open_chunks;
    site.open_bytes += size;
    if (site.tag != tag) site.has_other_tags = true;
    ++open_chunks_;
    open_bytes_ += size;
    note_maximum(site, ticks);
  }

  void close(SiteIndex index, uint64_t size) {
    Site& site = sites_[index];
    put_peak_aside(site);
    --site.open_chunks;
    site.open_bytes -= size;
    --open_chunks_;
    open_bytes_ -= size;
  }
  // It was another block of that address that ended.
  void reopen(SiteIndex index, uint64_t size, uint64_t ticks) {
    Site& site = sites_[index];
    put_peak_aside(site);
    ++site.open_chunks;
    site.open_bytes += size;
    ++open_chunks_;
    open_bytes_ += size;
    note_maximum(site, ticks);
  }
  void add_temporary(SiteIndex index) { ++sites_[index].temporary; }

  // A part of a mapping ended.
  void shrink(SiteIndex index, uint64_t bytes) {
    Site& site = sites_[index];
    put_peak_aside(site);
    site.open_bytes -= bytes;
    open_bytes_ -= bytes;
  }

  // After the last event: fills at_peak_* of the sites that have not changed since the peak.
  void settle() {
    for (Site& site : sites_) put_peak_aside(site);
  }

  const std::vector<Site>& all() const { return sites_; }
  const Site& operator[](SiteIndex index) const { return sites_[index]; }
  uint64_t open_chunks() const { return open_chunks_; }
  uint64_t open_bytes() const { return open_bytes_; }
  uint64_t peak_bytes() const { return peak_bytes_; }
  uint64_t peak_chunks() const { return peak_chunks_; }
  uint64_t peak_ticks() const { return peak_ticks_; }

 private:
  static constexpr SiteIndex kNone = UINT32_MAX;

  void note_maximum(Site& site, uint64_t ticks) {
    if (site.open_bytes > site.peak_bytes) {
      site.peak_bytes = site.open_bytes;
      site.peak_ticks = ticks;
    }
    if (open_bytes_ <= peak_bytes_) return;
    peak_bytes_ = open_bytes_;
    peak_chunks_ = open_chunks_;
    peak_ticks_ = ticks;
    ++peak_epoch_;
  }

  void put_peak_aside(Site& site) {
    if (site.settled_epoch == peak_epoch_) return;
    site.settled_epoch = peak_epoch_;
    site.at_peak_bytes = site.open_bytes;
    site.at_peak_chunks = site.open_chunks;
  }

  SiteIndex find_or_add(StackId stack, uint16_t tag);

  const StackNodes& nodes_;
  std::vector<Site> sites_;
  std::vector<SiteIndex> by_stack_;  // by raw id, filled when first met
  tsl::robin_map<StackId, SiteIndex> by_canonical_;
  uint64_t open_chunks_ = 0, open_bytes_ = 0;
  uint64_t peak_bytes_ = 0, peak_chunks_ = 0, peak_ticks_ = 0;
  uint64_t peak_epoch_ = 0;
};

}  // namespace memprof
