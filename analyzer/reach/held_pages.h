// When the last block was allocated that began in a page of memory: an allocator's memory is told from the program's
// own mappings by the blocks that it ever held.
#pragma once

#include <tsl/robin_map.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

namespace memprof {

class HeldPages {
 public:
  void note(uint64_t address, uint64_t ticks) {
    const uint64_t group = address / kGroupBytes;
    Cached& cached = cache_[group % kCached];
    if (cached.group != group || !cached.pages) {
      std::unique_ptr<Pages>& pages = groups_[group];
      if (!pages) pages = std::make_unique<Pages>();
      cached = {group, pages.get()};
    }
    // 0: never.
    uint64_t& latest = (*cached.pages)[address / kPageBytes % kGroupPages];
    latest = std::max(latest, ticks + 1);
  }

  // Whether a block that was allocated at `since` or later began in [start, end).
  bool held_any(uint64_t start, uint64_t end, uint64_t since) const;

 private:
  static constexpr uint64_t kPageBytes = 4096;
  static constexpr uint64_t kGroupPages = 512;
  static constexpr uint64_t kGroupBytes = kPageBytes * kGroupPages;
  static constexpr size_t kCached = 256;
  using Pages = std::array<uint64_t, kGroupPages>;
  struct Cached {
    uint64_t group = 0;
    Pages* pages = nullptr;
  };

  tsl::robin_map<uint64_t, std::unique_ptr<Pages>> groups_;
  std::array<Cached, kCached> cache_{};
};

inline bool HeldPages::held_any(uint64_t start, uint64_t end, uint64_t since) const {
  if (start >= end) return false;
  const auto holds = [&](uint64_t group, const Pages& pages) {
    const uint64_t first = group == start / kGroupBytes ? start / kPageBytes % kGroupPages : 0;
    const uint64_t last = group == (end - 1) / kGroupBytes ? (end - 1) / kPageBytes % kGroupPages : kGroupPages - 1;
    return std::any_of(pages.begin() + static_cast<ptrdiff_t>(first), pages.begin() + static_cast<ptrdiff_t>(last) + 1,
                       [&](uint64_t latest) { return latest > since; });
  };
  const uint64_t first_group = start / kGroupBytes, last_group = (end - 1) / kGroupBytes;
  // Terabytes may be reserved, of which little was used.
  if (last_group - first_group >= groups_.size()) {
    return std::any_of(groups_.begin(), groups_.end(), [&](const auto& entry) {
      return entry.first >= first_group && entry.first <= last_group && holds(entry.first, *entry.second);
    });
  }
  for (uint64_t group = first_group; group <= last_group; ++group)
    if (const auto found = groups_.find(group); found != groups_.end() && holds(group, *found->second)) return true;
  return false;
}

}  // namespace memprof
