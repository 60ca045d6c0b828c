#include "model/block_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "trace/event_page.h"

namespace memprof {

using format::BlockType;

namespace {

auto order_of(const BlockType& type) { return std::tuple(type.domain, type.address, type.ticks); }

}  // namespace

BlockTypes::BlockTypes(const TraceFile& file, const Metadata& metadata)
    : types_(metadata.block_types), rounding_ticks_(uint64_t{1} << file.header().time_shift) {
  for (const Metadata::Type& type : metadata.types) names_.insert_or_assign(type.type, type.name);
  if (names_.empty()) return;  // nobody gave any
  EventPage page;
  page.note_block_types_in(&types_);
  std::vector<Event> events(1024);
  for (const StreamPages pages : file.streams(format::StreamKind::events)) {
    for (const PageEntry& entry : pages) {
      page.open(file, entry);
      while (page.read(events) != 0) {
      }
    }
  }
  std::sort(types_.begin(), types_.end(),
            [](const BlockType& a, const BlockType& b) { return order_of(a) < order_of(b); });
}

// Between the allocation, which is rounded up as a type's time is, and the end, which is rounded down.
std::optional<uint32_t> BlockTypes::type_of(uint16_t domain, uint64_t address, uint64_t alloc_ticks,
                                            uint64_t end_ticks) const {
  const uint64_t last = end_ticks > UINT64_MAX - rounding_ticks_ ? UINT64_MAX : end_ticks + rounding_ticks_;
  const auto behind =
      std::upper_bound(types_.begin(), types_.end(), std::tuple(domain, address, last),
                       [](const auto& wanted, const BlockType& type) { return wanted < order_of(type); });
  if (behind == types_.begin()) return std::nullopt;
  const BlockType& found = *std::prev(behind);
  if (found.domain != domain || found.address != address || found.ticks < alloc_ticks) return std::nullopt;
  return found.type;
}

std::string BlockTypes::name(uint32_t type) const {
  const auto found = names_.find(type);
  return found == names_.end() ? fmt::format("type {}", type) : found->second;
}

void TypedSites::note(uint16_t domain, uint64_t address, const Chunk& chunk, uint64_t end_ticks) {
  const auto type = types_.type_of(domains_.all()[domain].number, address, chunk.alloc_ticks, end_ticks);
  if (!type) return;
  if (const std::optional<StackId> site = site_of_(*type, chunk.stack)) sites_.emplace(chunk.number, *site);
}

}  // namespace memprof
