// The blocks and the mappings that were live at one moment of a trace.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "model/analysis.h"
#include "reach/held_pages.h"

namespace memprof {

struct LiveBlock {
  uint64_t address = 0;
  uint64_t size = 0;  // asked for
  uint64_t alloc_ticks = 0;
  StackId stack = 0;  // canonical
  uint32_t thread = 0;
  uint16_t tag = 0;
  bool is_inherited = false;  // of the process that forked this one
  // Of an inherited one: how many forks ago it was allocated, and the stack in the trace of that process.
  uint8_t ancestor = 0;
  StackId ancestor_stack = 0;

  // As memcheck has it, a block without bytes has its first.
  uint64_t end() const { return address + (size == 0 ? 1 : size); }
};

struct LiveMapping {
  uint64_t start = 0, end = 0;  // what is left of it lies there
  uint64_t alloc_ticks = 0;
  StackId stack = 0;
};

// Of one stack and tag.
struct LaterBlocks {
  uint64_t blocks = 0, bytes = 0;
};

struct LiveMemory {
  std::vector<LiveBlock> blocks;      // of the heap; by address, each address once
  std::vector<LiveMapping> mappings;  // by address
  HeldPages held;                     // by blocks until then, freed ones too
  // Blocks whose address was allocated again although nobody freed them: whatever they are, they are not in `blocks`.
  uint64_t displaced = 0;
  // Of the heap: allocated after that moment and open at the end of the trace, by stack and tag.
  std::map<std::pair<StackId, uint16_t>, LaterBlocks> later;
};

// Hears of all blocks of an analysis of the whole trace, and passes each call on to `next`, which may be null.
class LiveMemoryCollector : public ChunkVisitor {
 public:
  LiveMemoryCollector(const Trace& trace, uint64_t moment_ticks, ChunkVisitor* next);
  // Before the analysis: what the process had of its parent when it was forked.
  void inherit(LiveMemory inherited);

  void begin(const std::vector<Thread>& threads) override;
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override;
  void left_over(const std::vector<Range>& ranges) override {
    if (next_) next_->left_over(ranges);
  }
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) override;
  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override;
  void cut(const Chunk& chunk, const Event& event, uint64_t number) override;

  // After the analysis.
  LiveMemory take();

 private:
  void add(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack);

  const Trace& trace_;
  const uint64_t moment_ticks_;
  ChunkVisitor* const next_;
  LiveMemory memory_;
  LiveMemory inherited_;
  std::vector<uint64_t> inherited_frees_;  // addresses
};

}  // namespace memprof
