// A block between its allocation and its end, and those who want to hear of each.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/event.h"
#include "trace/stack_nodes.h"

namespace memprof {

// The id of no stack.
inline constexpr StackId kNotChosen = UINT32_MAX;

struct Chunk {
  uint64_t size = 0;  // asked for
  uint64_t alloc_ticks = 0;
  uint64_t number = 0;  // of its allocation: see Run::first_number
  StackId stack = 0;    // as in the trace, not canonical; kNotChosen: the block counts in no number
  uint32_t thread = 0;  // index of the allocating thread
  uint32_t stream = 0;  // of its allocation
  uint16_t tag = 0;

  bool is_chosen() const { return stack != kNotChosen; }
};
static_assert(sizeof(Chunk) == 40);

struct Thread {
  uint32_t serial;
  uint32_t id;  // the kernel's
};

struct Range {
  uint64_t begin, end;
};

// What ended a block.
struct Release {
  Event event;
  uint64_t number;  // of the event
  uint32_t thread;
  bool is_temporary;
  bool is_mismatched;  // by the tags; symbols may explain it away
};

enum class OrphanKind : uint8_t { inherited, before_start, unknown, filtered };

// Hears of every chosen block once, when its fate is known; blocks still open come at the end. `domain` is an index.
// The calls come one after the other, from any thread.
class ChunkVisitor {
 public:
  virtual ~ChunkVisitor() = default;
  // Before the first block; thread indices point into it.
  virtual void begin(const std::vector<Thread>& threads) = 0;
  virtual void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) = 0;
  // Of a mapping that lost a part, right before its open(): what is left of it, in whole memory pages.
  virtual void left_over(const std::vector<Range>&) {}
  virtual void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) = 0;
  virtual void orphaned(uint16_t domain, const Release& release, OrphanKind kind) = 0;
  // An event took a part of a mapping. Of every one, also before the window: what is chosen is not known then.
  virtual void cut(const Chunk&, const Event&, uint64_t /*number*/) {}
};

}  // namespace memprof
