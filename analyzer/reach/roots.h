// Where the program keeps what it uses: the memory that is searched for pointers to blocks, blocks apart.
//
//   data of modules, shared memory     all of it
//   stacks                             from the stack pointer up; all of it where a thread runs on another stack (a
//                                      fiber's, a signal's)
//   what the program mapped            all of it, but for allocators: memory that ever held blocks, and what the module
//                                      that maps such memory maps besides
//   what nobody is known to have       all of it (the loader's own memory: thread-local data of the first
//   mapped                             thread), but for memory that ever held blocks and stacks of threads that ended
//   the program break                  none of it
//
// What lies in a block is the block's, but for the stack of a thread that runs in it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "reach/block_index.h"
#include "reach/live_memory.h"
#include "reach/snapshot_image.h"

namespace memprof {

enum class RootKind : uint8_t { registers, stack, data, mapping, shared, other };

struct RootArea {
  uint64_t start = 0, end = 0;
  RootKind kind = RootKind::other;
  // data: index of the module, or Modules::kNone. stack: of the thread in the image. mapping: in LiveMemory::mappings.
  size_t index = 0;
  // The C library's data, where its allocator keeps pointers to the memory between blocks.
  bool has_allocator_state = false;
  // The stack of a thread in a block.
  bool is_in_block = false;
};

class Roots {
 public:
  Roots(const Trace& trace, const SnapshotImage& image, const LiveMemory& memory, const BlockIndex& blocks);

  // Null: nothing that lies there is a root. `in_block`: whether the address lies in one.
  const RootArea* find(uint64_t address, bool in_block) const;
  std::span<const RootArea> areas() const { return areas_; }

 private:
  void find_anchors();
  void add_range(const format::SnapshotRange& range);
  void add_anonymous(const format::SnapshotRange& range);
  void add_mapped(const LiveMapping& mapping, uint64_t start, uint64_t end);
  void add_unknown(uint64_t start, uint64_t end, bool is_above_guard);
  // False: no thread has its stack or its control block there.
  bool add_stack(uint64_t start, uint64_t end);
  void add_stacks_in_blocks();
  void find_allocators();
  uint32_t module_of(const LiveMapping& mapping) const;

  const Trace& trace_;
  const SnapshotImage& image_;
  const LiveMemory& memory_;
  const BlockIndex& blocks_;
  // What a thread points to that tells where its stack is.
  struct Anchor {
    uint64_t address;
    size_t thread;  // in the image
    bool is_stack_pointer;
  };
  static const RootArea* find_in(const std::vector<RootArea>& areas, uint64_t address);

  std::vector<Anchor> anchors_;       // by address
  std::vector<uint32_t> allocators_;  // ids of modules that map memory for blocks
  std::vector<RootArea> areas_;       // by address; they do not overlap
  std::vector<RootArea> in_blocks_;   // by address; those that overlap end together
};

}  // namespace memprof
