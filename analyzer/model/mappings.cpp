#include "model/mappings.h"

#include <algorithm>
#include <bit>

namespace memprof {

Mappings::Mappings(uint64_t memory_page_size) {
  const bool is_sane = std::has_single_bit(memory_page_size) && memory_page_size <= (1u << 30);
  page_mask_ = (is_sane ? memory_page_size : 4096) - 1;
}

// Mappings are whole memory pages, whatever length was asked for.
uint64_t Mappings::end_of(uint64_t address, uint64_t size) const {
  const uint64_t room = UINT64_MAX - address;
  if (size == 0) size = 1;
  if (size > room || room - size < page_mask_) return UINT64_MAX;
  return (address + size + page_mask_) & ~page_mask_;
}

bool Mappings::unmap(uint64_t address, uint64_t size, const CutVisitor& visit) {
  auto part = parts_.upper_bound(address);
  if (part != parts_.begin() && std::prev(part)->second.end > address) --part;
  if (size == 0) {
    if (part == parts_.end() || part->first > address) return false;
    cut(part, address, part->second.end, visit);
    return true;
  }
  const uint64_t end = end_of(address, size);
  bool found = false;
  while (part != parts_.end() && part->first < end) {
    const auto next = std::next(part);
    cut(part, std::max(part->first, address), std::min(part->second.end, end), visit);
    found = true;
    part = next;
  }
  return found;
}

// Takes [begin, end), which lies within the part, out of it.
void Mappings::cut(std::map<uint64_t, Part>::iterator part, uint64_t begin, uint64_t end, const CutVisitor& visit) {
  const uint64_t part_end = part->second.end;
  const uint32_t index = part->second.region;
  Region& region = regions_[index];
  if (end < part_end) parts_.emplace(end, Part{part_end, index});
  if (begin > part->first)
    part->second.end = begin;
  else
    parts_.erase(part);

  const uint64_t asked_end = region.address + std::min(region.chunk.size, UINT64_MAX - region.address);
  uint64_t bytes = begin < asked_end ? std::min(end, asked_end) - begin : 0;
  region.mapped_bytes -= end - begin;
  const bool is_last = region.mapped_bytes == 0;
  if (is_last) bytes = region.open_bytes;  // also where the size ran past the end of the address space
  region.open_bytes -= bytes;
  visit({region.address, region.chunk, bytes, is_last});
  if (is_last) free_regions_.push_back(index);
}

void Mappings::map(uint64_t address, const Chunk& chunk) {
  const uint64_t end = end_of(address, chunk.size);
  if (free_regions_.empty()) {
    free_regions_.push_back(static_cast<uint32_t>(regions_.size()));
    regions_.emplace_back();
  }
  const uint32_t index = free_regions_.back();
  free_regions_.pop_back();
  regions_[index] = {address, chunk, end - address, chunk.size};
  parts_.emplace(address, Part{end, index});
}

}  // namespace memprof
