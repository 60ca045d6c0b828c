// What the reader, or the writer, of an events page knows after each record and guesses about the next: the state that
// trace_format.h describes under "Event records", kept exactly as the writer kept it.
//
// Every index comes from a hash or a mask, so bytes of a broken page can make it wrong, never unsafe.
#pragma once

#include <cstdint>
#include <limits>

#include "memprof/trace_format.h"

namespace memprof {

class EventPredictor {
 public:
  enum class Expected : uint16_t { nothing = 0, alloc = 1, free_by_distance = 2, free_by_offset = 3 };
  struct Context {
    Expected kind;
    uint16_t tag;
    uint32_t a, b;
  };
  struct Stack {
    uint32_t id;
    uint32_t size;
    uint16_t tag;
  };
  // Of a block size, in granules of 16 bytes.
  struct SizeClass {
    uint64_t granules;
    unsigned number;
  };

  uint64_t last_free = 0;
  uint32_t last_stack = 0;
  uint16_t last_tag = 0;
  uint16_t free_tag = 0;

  explicit EventPredictor(uint32_t size_bias = 0) : size_bias_(size_bias) {}

  Context& context() { return contexts_[(history_ * kMultiplier64) >> 55]; }
  const Stack& stack_at(uint8_t place) const { return stacks_[place % format::kEventStacks]; }
  uint64_t block_at(uint8_t place) const { return blocks_[place].address; }
  uint64_t block_allocated_ago(uint32_t count) const {
    return blocks_[ring_[(allocations_ - count) % format::kEventBlocks]].address;
  }

  SizeClass class_of(uint64_t size) const {
    const uint64_t least = size_bias_ > 15 ? 2 : 1;
    // The sum cannot wrap: sizes are no more than kMostBlockBytes.
    uint64_t granules = (size + size_bias_) / kGranule;
    if (granules < least) granules = least;
    return {granules, static_cast<unsigned>(granules < kLastClass ? granules : kLastClass)};
  }

  uint64_t guess_alloc(SizeClass size) const {
    const PerClass& c = classes_[size.number];
    if (c.depth > 0) return c.freed[c.top];
    return c.is_sequential ? c.last + kGranule * size.granules : bump_;
  }
  uint64_t guess_free(const Context& x) const {
    if (x.kind == Expected::free_by_distance) return block_allocated_ago(x.a);
    return last_free + kGranule * static_cast<uint64_t>(int64_t{static_cast<int32_t>(x.a)});
  }
  uint64_t base_of(SizeClass size) const {
    const uint64_t last = classes_[size.number].last;
    return last != 0 ? last : last_alloc_;
  }
  static uint8_t stack_place(uint32_t id) { return static_cast<uint8_t>((id * kMultiplier32) >> 25); }
  static uint8_t block_place(uint64_t address) { return static_cast<uint8_t>(((address >> 4) * kMultiplier64) >> 56); }
  // How many allocations ago the block was handed out, 0 when that is not known.
  uint32_t distance(uint64_t address) const {
    const Block& block = blocks_[block_place(address)];
    if (address == 0 || block.address != address) return 0;
    const uint32_t ago = allocations_ - block.number;
    return ago < format::kEventBlocks ? ago : 0;
  }

  void on_stack(uint32_t id, uint64_t size, uint16_t tag) {
    stacks_[stack_place(id)] = {id, fits_32(size) ? static_cast<uint32_t>(size) : 0, tag};
    last_tag = tag;
  }

  void on_alloc(uint64_t address, SizeClass size) {
    PerClass& c = classes_[size.number];
    if (c.depth > 0) {
      if (c.freed[c.top] == address) {
        --c.depth;
        c.top = (c.top + format::kEventFreed - 1) % format::kEventFreed;
      }
    } else if (address == bump_) {
      c.is_sequential = false;
    } else if (address == c.last + kGranule * size.granules) {
      c.is_sequential = true;
    }
    bump_ = address + kGranule * size.granules;
    c.last = last_alloc_ = address;
    const uint8_t place = block_place(address);
    blocks_[place] = {address, allocations_, size.number};
    ring_[allocations_ % format::kEventBlocks] = place;
    ++allocations_;
  }

  void on_free(uint64_t address) {
    if (const Block& block = blocks_[block_place(address)]; address != 0 && block.address == address) {
      PerClass& c = classes_[block.size_class];
      c.top = (c.top + 1) % format::kEventFreed;
      c.freed[c.top] = address;
      if (c.depth < format::kEventFreed) ++c.depth;
    }
    last_free = address;
  }

  // What the writer does after an alloc, a free and a realloc record, besides the above.
  static void expect_alloc(Context& x, uint32_t stack, uint64_t size, uint16_t tag) {
    x = {fits_32(size) ? Expected::alloc : Expected::nothing, tag, stack, static_cast<uint32_t>(size)};
  }
  void note_stack(uint32_t stack) { push_symbol((stack * kMultiplier32) >> 17); }
  void finish_free(Context& x, uint64_t address, uint16_t tag) {
    const uint32_t ago = distance(address);
    const uint64_t offset = address - last_free;
    on_free(address);
    x.tag = tag;
    const int64_t steps = static_cast<int64_t>(offset) / static_cast<int64_t>(kGranule);
    if (ago > 0) {
      x.kind = Expected::free_by_distance;
      x.a = ago;
      push_symbol(0x8000 | ago);
    } else if (offset % kGranule == 0 && steps >= std::numeric_limits<int32_t>::min() &&
               steps <= std::numeric_limits<int32_t>::max()) {
      x.kind = Expected::free_by_offset;
      x.a = static_cast<uint32_t>(steps);
      push_symbol(0xC000 | (x.a & 0x3FFF));
    } else {
      x.kind = Expected::nothing;
      push_symbol(0xC000);
    }
  }

  static constexpr uint64_t kGranule = 16;

 private:
  static constexpr uint64_t kMultiplier64 = 0x9E3779B97F4A7C15;
  static constexpr uint32_t kMultiplier32 = 0x9E3779B1;
  static constexpr unsigned kLastClass = format::kEventClasses - 1;

  struct Block {
    uint64_t address;
    uint32_t number;
    uint32_t size_class;
  };
  struct PerClass {
    uint64_t freed[format::kEventFreed];
    uint64_t last;
    uint8_t depth, top;
    bool is_sequential;
  };

  static bool fits_32(uint64_t size) { return size <= UINT32_MAX; }
  void push_symbol(uint32_t symbol) { history_ = (history_ << 16 | symbol) & 0xFFFF'FFFF'FFFF; }

  uint64_t history_ = 0;
  uint64_t bump_ = 0;
  uint64_t last_alloc_ = 0;
  uint32_t allocations_ = 0;
  uint32_t size_bias_;
  Context contexts_[format::kEventContexts] = {};
  Stack stacks_[format::kEventStacks] = {};
  Block blocks_[format::kEventBlocks] = {};
  PerClass classes_[format::kEventClasses] = {};
  uint8_t ring_[format::kEventBlocks] = {};
};

static_assert(format::kEventBlocks == 256 && format::kEventStacks == 128 && format::kEventContexts == 512);

}  // namespace memprof
