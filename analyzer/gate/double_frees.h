// Frees of blocks that were freed before: of the frees of unknown addresses, those whose address had a block that
// ended.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <vector>

#include "model/analysis.h"

namespace memprof {

struct DoubleFree {
  StackId alloc_stack = 0;  // of the block that was there
  StackId free_stack = 0;   // of the second free; kNoStack unless the trace has stacks of frees
  uint16_t alloc_tag = 0, free_tag = 0;
  uint64_t size = 0;
};

// Hears of an analysis: which frees found no block.
class UnknownFrees : public ChunkVisitor {
 public:
  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t, uint64_t, const Chunk&, StackId, const Release&) override {}
  void open(uint16_t, uint64_t, const Chunk&, StackId, bool) override {}
  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override;

  const std::vector<Release>& all() const { return frees_; }
  // More than are kept.
  uint64_t uncounted() const { return uncounted_; }

 private:
  static constexpr size_t kMost = 100'000;
  std::vector<Release> frees_;
  uint64_t uncounted_ = 0;
};

// Another pass over the trace, unless there is nothing to look for.
std::vector<DoubleFree> find_double_frees(const Trace& trace, const UnknownFrees& unknown, ProgressSink* progress);

}  // namespace memprof
