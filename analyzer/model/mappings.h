// The live regions of the mmap domain. A region may lose its middle: it is closed when its last byte goes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "model/chunk.h"

namespace memprof {

class Mappings {
 public:
  // A part of a region ended. `bytes`: of those asked for, so that all parts together are the region's size.
  struct Cut {
    uint64_t address;  // of the region as it was mapped
    Chunk chunk;
    uint64_t bytes;
    bool is_last;  // the region is closed
  };
  using CutVisitor = std::function<void(const Cut&)>;

  explicit Mappings(uint64_t memory_page_size);

  // Ends what lies in [address, address + size); a size of 0 means the rest of the part that holds `address`. False
  // when nothing did.
  bool unmap(uint64_t address, uint64_t size, const CutVisitor& visit);
  // The range must be free: unmap it first.
  void map(uint64_t address, const Chunk& chunk);

  // Every region that is open, with the bytes of it that still are: visit(address, chunk, bytes).
  template <class Visit>
  void visit_open(Visit&& visit) const {
    for (const Region& region : regions_)
      if (region.mapped_bytes != 0) visit(region.address, region.chunk, region.open_bytes);
  }
  template <class Visit>
  void visit_open(Visit&& visit) {
    for (Region& region : regions_)
      if (region.mapped_bytes != 0) visit(region.address, region.chunk, region.open_bytes);
  }

 private:
  struct Region {
    uint64_t address;
    Chunk chunk;
    uint64_t mapped_bytes;  // whole memory pages, of all parts that are left
    uint64_t open_bytes;    // of chunk.size
  };
  struct Part {
    uint64_t end;
    uint32_t region;
  };

  uint64_t end_of(uint64_t address, uint64_t size) const;
  void cut(std::map<uint64_t, Part>::iterator part, uint64_t begin, uint64_t end, const CutVisitor& visit);

  uint64_t page_mask_;
  std::map<uint64_t, Part> parts_;  // by first byte; they do not overlap
  std::vector<Region> regions_;
  std::vector<uint32_t> free_regions_;
};

}  // namespace memprof
