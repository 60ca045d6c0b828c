// The sums of the sites: what was allocated there, what is open, its own peak, and its share of the highest moment.
//
// The share at the peak is exact and costs O(1) an event. `peak_epoch` counts the new maxima of the whole domain. When
// a site is about to change and has not been touched since the last maximum, its open bytes are what they were at that
// maximum: they are put aside then. A site that never changes afterwards is settled at the end.
#pragma once

#include <cstdint>
#include <vector>

#include "model/site_directory.h"

namespace memprof {

// What every event touches lies in the first cache line.
struct alignas(64) Site {
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
  // What was open when the window of the analysis began; 0 without one.
  uint64_t carried_bytes = 0;
  uint64_t carried_chunks = 0;
  StackId stack = 0;
  uint16_t tag = 0;  // of the first block
  bool has_other_tags = false;

  uint64_t closed_chunks() const { return carried_chunks + allocations - open_chunks; }
  uint64_t closed_bytes() const { return carried_bytes + bytes_allocated - open_bytes; }
};

class Sites {
 public:
  // Sites are added in the order of their numbers, each before it is named.
  void add_site(StackId stack, uint16_t tag);
  void note_tag(SiteIndex index, uint16_t tag) {
    if (at(index).tag != tag) at(index).has_other_tags = true;
  }

  void add_allocation(SiteIndex index, uint64_t size, uint64_t ticks) {
    Site& site = at(index);
    ++site.allocations;
    site.bytes_allocated += size;
    open(site, size, ticks);
  }
  // It was another block of that address that ended.
  void reopen(SiteIndex index, uint64_t size, uint64_t ticks) { open(at(index), size, ticks); }
  // Of a block that was allocated before the window.
  void carry(SiteIndex index, uint64_t size, uint64_t ticks) {
    Site& site = at(index);
    ++site.carried_chunks;
    site.carried_bytes += size;
    ++carried_chunks_;
    carried_bytes_ += size;
    open(site, size, ticks);
    // All are there at one moment, those of no bytes too.
    if (size == 0 && open_bytes_ == peak_bytes_) begin_peak(ticks);
  }

  void close(SiteIndex index, uint64_t size) {
    Site& site = at(index);
    put_peak_aside(site);
    --site.open_chunks;
    site.open_bytes -= size;
    --open_chunks_;
    open_bytes_ -= size;
  }
  void add_temporary(SiteIndex index) { ++at(index).temporary; }

  // A part of a mapping ended.
  void shrink(SiteIndex index, uint64_t bytes) {
    Site& site = at(index);
    put_peak_aside(site);
    site.open_bytes -= bytes;
    open_bytes_ -= bytes;
  }

  // After the last event: fills at_peak_* of the sites that have not changed since the peak.
  void settle();

  // A site that the operations before it still open is not there yet.
  [[gnu::always_inline]] void prefetch(SiteIndex index) const {
    if (index < sites_.size()) __builtin_prefetch(&sites_[index], 1);
  }

  const std::vector<Site>& all() const { return sites_; }
  const Site& operator[](SiteIndex index) const { return sites_[index]; }
  uint64_t open_chunks() const { return open_chunks_; }
  uint64_t open_bytes() const { return open_bytes_; }
  uint64_t carried_chunks() const { return carried_chunks_; }
  uint64_t carried_bytes() const { return carried_bytes_; }
  uint64_t peak_bytes() const { return peak_bytes_; }
  uint64_t peak_chunks() const { return peak_chunks_; }
  uint64_t peak_ticks() const { return peak_ticks_; }

 private:
  Site& at(SiteIndex index) { return sites_[index]; }

  void open(Site& site, uint64_t size, uint64_t ticks) {
    put_peak_aside(site);
    ++site.open_chunks;
    site.open_bytes += size;
    ++open_chunks_;
    open_bytes_ += size;
    if (site.open_bytes > site.peak_bytes) {
      site.peak_bytes = site.open_bytes;
      site.peak_ticks = ticks;
    }
    if (open_bytes_ > peak_bytes_) begin_peak(ticks);
  }

  void begin_peak(uint64_t ticks) {
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

  std::vector<Site> sites_;
  uint64_t open_chunks_ = 0, open_bytes_ = 0;
  uint64_t carried_chunks_ = 0, carried_bytes_ = 0;
  uint64_t peak_bytes_ = 0, peak_chunks_ = 0, peak_ticks_ = 0;
  uint64_t peak_epoch_ = 0;
};

}  // namespace memprof
