// A block between its allocation and its end, and those who want to hear of each.
#pragma once

#include <cstdint>
#include <vector>

#include "model/sites.h"
#include "trace/event.h"

namespace memprof {

struct Chunk {
  uint64_t size;  // asked for
  uint64_t alloc_ticks;
  SiteIndex site;
  uint32_t thread;  // index of the allocating thread
  uint32_t stream;  // of its allocation
  uint16_t tag;
};

struct Thread {
  uint32_t serial;
  uint32_t id;  // the kernel's
};

// What ended a block.
struct Release {
  Event event;
  uint32_t thread;
  bool is_temporary;
  bool is_mismatched;  // by the tags; symbols may explain it away
};

enum class OrphanKind : uint8_t { inherited, before_start, unknown, filtered };

// Hears of every block once, when its fate is known; blocks still open come at the end. `domain` is an index.
class ChunkVisitor {
 public:
  virtual ~ChunkVisitor() = default;
  // Before the first block; thread indices point into it.
  virtual void begin(const std::vector<Thread>& threads) = 0;
  virtual void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) = 0;
  virtual void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) = 0;
  virtual void orphaned(uint16_t domain, const Release& release, OrphanKind kind) = 0;
};

}  // namespace memprof
