// Random graphs of blocks as traces: the graph is made first, then the memory that has it.
#pragma once

#include <random>
#include <vector>

#include "classified.h"
#include "snapshot_builder.h"

namespace memprof::test {

struct RandomGraph {
  struct Arrow {
    uint32_t to;
    bool is_interior;
  };

  // Blocks are numbered by address; their ages are in another order.
  std::vector<std::vector<Arrow>> arrows;  // by block
  std::vector<Arrow> roots;
  std::vector<uint64_t> sizes;
  std::vector<uint32_t> age_order;  // the oldest first

  static constexpr uint64_t kBlockBytes = 4096;
  static uint64_t address_of(uint32_t block) { return MemoryBuilder::kHeap + block * kBlockBytes; }

  explicit RandomGraph(uint32_t seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
    const uint32_t count = 1 + below(24);
    arrows.resize(count);
    const uint32_t arrow_count = below(2 * count + 1);
    for (uint32_t i = 0; i < arrow_count; ++i) arrows[below(count)].push_back({below(count), below(5) == 0});
    const uint32_t root_count = below(4);
    for (uint32_t i = 0; i < root_count; ++i) roots.push_back({below(count), below(4) == 0});
    for (uint32_t i = 0; i < count; ++i) {
      sizes.push_back(512 + below(1000));
      age_order.push_back(i);
    }
    std::shuffle(age_order.begin(), age_order.end(), random);
  }

  uint32_t count() const { return static_cast<uint32_t>(arrows.size()); }
  std::vector<uint32_t> ages() const {
    std::vector<uint32_t> ages(count());
    for (uint32_t i = 0; i < count(); ++i) ages[age_order[i]] = i;
    return ages;
  }

  Classified classified() const {
    MemoryBuilder b;
    for (const uint32_t block : age_order) b.block(address_of(block), sizes[block]);
    const auto value_of = [](const Arrow& arrow) { return address_of(arrow.to) + (arrow.is_interior ? 40 : 0); };
    b.begin_snapshot();
    b.snapshot.range(format::SnapshotRangeKind::file, MemoryBuilder::kData, MemoryBuilder::kDataEnd);
    for (size_t i = 0; i < roots.size(); ++i) b.snapshot.word(MemoryBuilder::kData + 8 * i, value_of(roots[i]));
    b.snapshot.range(format::SnapshotRangeKind::program_break, MemoryBuilder::kHeap, MemoryBuilder::kHeapEnd);
    for (uint32_t block = 0; block < count(); ++block)
      for (size_t i = 0; i < arrows[block].size(); ++i)
        b.snapshot.word(address_of(block) + 8 * i, value_of(arrows[block][i]));
    b.end_snapshot();
    return Classified(b);
  }
};

}  // namespace memprof::test
