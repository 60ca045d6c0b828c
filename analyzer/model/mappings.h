// The live regions of the mmap domain. A region may lose its middle: it is closed when its last byte goes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "model/chunk.h"
#include "trace/byte_reader.h"
#include "trace/byte_writer.h"

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

  // What is left of the regions that lost a part: visit(chunk, begin, end), by address.
  template <class Visit>
  void visit_left_over(Visit&& visit) const {
    for (const auto& [begin, part] : parts_) {
      const Region& region = regions_[part.region];
      if (region.mapped_bytes != end_of(region.address, region.chunk.size) - region.address)
        visit(region.chunk, begin, part.end);
    }
  }

  // Count of regions, each: address, chunk (put_chunk(chunk)), bytes mapped and open; count of parts, each: begin, end,
  // which of the regions.
  template <class Put>
  void save(ByteWriter& out, Put&& put_chunk) const;
  // get_chunk(chunk) is false when the bytes are wrong, as this is.
  template <class Get>
  bool restore(ByteReader& in, Get&& get_chunk);

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

template <class Put>
void Mappings::save(ByteWriter& out, Put&& put_chunk) const {
  std::vector<uint32_t> number_of(regions_.size());
  uint32_t count = 0;
  for (size_t i = 0; i < regions_.size(); ++i)
    if (regions_[i].mapped_bytes != 0) number_of[i] = count++;
  out.put_varint(count);
  for (const Region& region : regions_) {
    if (region.mapped_bytes == 0) continue;
    out.put_varint(region.address);
    put_chunk(region.chunk);
    out.put_varint(region.mapped_bytes);
    out.put_varint(region.open_bytes);
  }
  out.put_varint(parts_.size());
  for (const auto& [begin, part] : parts_) {
    out.put_varint(begin);
    out.put_varint(part.end);
    out.put_varint(number_of[part.region]);
  }
}

template <class Get>
bool Mappings::restore(ByteReader& in, Get&& get_chunk) {
  uint64_t count, begin, end, region;
  if (!in.read_varint(count)) return false;
  for (; count != 0; --count) {
    Region& added = regions_.emplace_back();
    if (!in.read_varint(added.address) || !get_chunk(added.chunk) || !in.read_varint(added.mapped_bytes) ||
        !in.read_varint(added.open_bytes))
      return false;
  }
  if (!in.read_varint(count)) return false;
  for (; count != 0; --count) {
    if (!in.read_varint(begin) || !in.read_varint(end) || !in.read_varint(region)) return false;
    if (begin >= end || region >= regions_.size()) return false;
    parts_.emplace(begin, Part{end, static_cast<uint32_t>(region)});
  }
  return true;
}

}  // namespace memprof
