// The predictor state of one events page, as trace_format.h ("Event records") defines it: what the writer and every
// reader know after each record. All zero is the state at the start of a page.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

class EventModel {
 public:
  struct Context {
    uint32_t a;
    uint32_t b;
    uint16_t tag;
    uint16_t kind;

    bool is_alloc_of(uint32_t stack, uint16_t its_tag) const { return kind == kAlloc && a == stack && tag == its_tag; }
    bool is_alloc(uint32_t stack, uint64_t size, uint16_t its_tag) const {
      return is_alloc_of(stack, its_tag) && b == size;
    }
    bool is_free(uint16_t its_tag) const { return kind >= kFreeAtDistance && tag == its_tag; }
  };
  enum ContextKind : uint16_t { kNothing = 0, kAlloc = 1, kFreeAtDistance = 2, kFreeAtDelta = 3 };
  struct StackEntry {
    uint32_t id;
    uint32_t size;
    uint16_t tag;
  };
  struct SizeClass {
    uint64_t granules;
    unsigned index;
  };
  // A block that this page has seen handed out.
  struct KnownBlock {
    bool is_known;
    uint32_t ago;  // how many allocations ago; 0: not known, or too many
    unsigned size_class;
  };

  void restart(uint32_t size_bias) {
    __builtin_memset(this, 0, sizeof(*this));
    size_bias_ = size_bias;
    least_granules_ = size_bias > 15 ? 2 : 1;
  }

  // The stack that followed this history last time, if an allocation did; else kNoStack.
  uint32_t expected_stack() const {
    const Context& expected = contexts_[context_place()];
    return expected.kind == kAlloc ? expected.a : format::kNoStack;
  }
  Context& context() { return contexts_[context_place()]; }
  StackEntry& stack_entry(uint32_t id) { return stacks_[stack_place(id)]; }
  static unsigned stack_place(uint32_t id) { return (id * kHash32) >> 25; }
  static unsigned block_place(uint64_t address) { return static_cast<unsigned>(((address >> 4) * kHash64) >> 56); }

  SizeClass class_of(uint64_t size) const {
    const uint64_t whole = (size >> 4) + (((size & 15) + size_bias_) >> 4);
    const uint64_t granules = whole < least_granules_ ? least_granules_ : whole;
    return {granules,
            granules < format::kEventClasses - 1 ? static_cast<unsigned>(granules) : format::kEventClasses - 1};
  }

  uint64_t alloc_guess(SizeClass size) const {
    if (depth_[size.index] != 0) return freed_[size.index][top_[size.index]];
    return sequential_[size.index] != 0 ? last_[size.index] + 16 * size.granules : bump_;
  }
  uint64_t free_guess(const Context& context) const {
    if (context.kind == kFreeAtDistance) return blocks_[ring_[(allocations_ - context.a) & 255]].address;
    return last_free + 16 * static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(context.a)));
  }
  uint64_t base(SizeClass size) const { return last_[size.index] != 0 ? last_[size.index] : last_alloc_; }

  KnownBlock known_block(uint64_t address) const {
    const Block& block = blocks_[block_place(address)];
    if (block.address != address || address == 0) return {false, 0, 0};
    const uint32_t ago = allocations_ - block.number;
    return {true, ago < 256 ? ago : 0, block.size_class};
  }

  void on_alloc(uint64_t address, SizeClass size) {
    const unsigned c = size.index;
    if (depth_[c] != 0) {
      if (freed_[c][top_[c]] == address) {
        --depth_[c];
        top_[c] = (top_[c] - 1) & (format::kEventFreed - 1);
      }
    } else if (address == bump_) {
      sequential_[c] = 0;
    } else if (address == last_[c] + 16 * size.granules) {
      sequential_[c] = 1;
    }
    bump_ = address + 16 * size.granules;
    last_[c] = last_alloc_ = address;
    const unsigned place = block_place(address);
    blocks_[place] = {address, allocations_, c};
    ring_[allocations_++ & 255] = static_cast<uint16_t>(place);
  }

  void on_free(uint64_t address, KnownBlock known) {
    if (known.is_known) {
      const unsigned c = known.size_class;
      top_[c] = (top_[c] + 1) & (format::kEventFreed - 1);
      freed_[c][top_[c]] = address;
      if (depth_[c] < format::kEventFreed) ++depth_[c];
    }
    last_free = address;
  }

  void on_stack(uint32_t id, uint64_t size, uint16_t tag) {
    stack_entry(id) = {id, fits_32(size) ? static_cast<uint32_t>(size) : 0, tag};
    last_tag = tag;
  }

  // What follows this history next time.
  static void learn_alloc(Context& context, uint32_t stack, uint64_t size, uint16_t tag) {
    context = {stack, static_cast<uint32_t>(size), tag, fits_32(size) ? kAlloc : kNothing};
  }
  void note_alloc(uint32_t stack) { push(static_cast<uint16_t>((stack * kHash32) >> 17)); }

  // `ago` is the distance before on_free, `before` last_free then.
  void learn_free(Context& context, uint64_t address, uint32_t ago, uint64_t before, uint16_t tag) {
    context.tag = tag;
    const auto delta = static_cast<int64_t>(address - before);
    if (ago != 0) {
      context.kind = kFreeAtDistance;
      context.a = ago;
      push(static_cast<uint16_t>(0x8000 | ago));
    } else if ((delta & 15) == 0 && delta >> 4 == static_cast<int32_t>(delta >> 4)) {
      context.kind = kFreeAtDelta;
      context.a = static_cast<uint32_t>(delta >> 4);
      push(static_cast<uint16_t>(0xC000 | (context.a & 0x3FFF)));
    } else {
      context.kind = kNothing;
      push(0xC000);
    }
  }

  uint64_t last_free;
  uint32_t last_stack;
  uint16_t last_tag;
  uint16_t free_tag;

 private:
  uint64_t context_place() const { return (history_ * kHash64) >> 55; }
  static constexpr uint64_t kHash64 = 0x9E3779B97F4A7C15;
  static constexpr uint32_t kHash32 = 0x9E3779B1;
  static bool fits_32(uint64_t size) { return size <= UINT32_MAX; }
  void push(uint16_t symbol) { history_ = ((history_ << 16) | symbol) & ((uint64_t{1} << 48) - 1); }

  struct Block {
    uint64_t address;
    uint32_t number;
    uint32_t size_class;
  };

  uint64_t history_;
  uint64_t bump_;
  uint64_t last_alloc_;
  uint32_t allocations_;
  uint32_t size_bias_;
  uint32_t least_granules_;
  Context contexts_[format::kEventContexts];
  StackEntry stacks_[format::kEventStacks];
  Block blocks_[format::kEventBlocks];
  uint64_t freed_[format::kEventClasses][format::kEventFreed];
  uint64_t last_[format::kEventClasses];
  uint16_t ring_[256];
  uint8_t depth_[format::kEventClasses];
  uint8_t top_[format::kEventClasses];
  uint8_t sequential_[format::kEventClasses];
};

}  // namespace memprof
