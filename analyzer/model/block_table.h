// The live blocks of a domain by their address: open addressing, in two arrays of as many places.
//
//   steps_   a byte a place: 0 it is empty, else one more than the steps from the place that its block's hash names
//   blocks_  the blocks, 48 bytes each
//
// Pairing knows the addresses of the next events, so it asks for their places ahead (prefetch): with a million live
// blocks an access is a cache miss, 80 ns if it is waited for. That is why this is no library's table. The steps
// answer, sixteen at a time and without a look at the blocks, which blocks have the wanted home, where a search ends,
// and which block moves up into a hole: branches on single places are as good as random, and each that is guessed wrong
// costs as much as all the rest.
//
// Invariants: at most five eighths of the homes' number are taken; between a block and the place that its hash names no
// place is empty. Behind the last home there are places for what its blocks push on, and steps that are always 0. The
// hash is keyed, so a trace cannot choose addresses that all want one place.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/bytes16.h"
#include "model/chunk.h"
#include "trace/keyed_hash.h"

namespace memprof {

class BlockTable {
 public:
  struct Block {
    uint64_t address = 0;
    Chunk chunk;
  };
  static_assert(sizeof(Block) == 48);

  // Inlined by force: gcc takes a function that does nothing but this for one without effect, and leaves it out.
  [[gnu::always_inline]] void prefetch(uint64_t address) const {
    const size_t home = home_of(address);
    __builtin_prefetch(&steps_[home]);
    __builtin_prefetch(&blocks_[home]);
    __builtin_prefetch(reinterpret_cast<const std::byte*>(&blocks_[home] + 1) - 1);
  }

  // Null when nothing is live there. Valid until the next find_or_add() or erase().
  Block* find(uint64_t address) {
    const size_t home = home_of(address);
    for (size_t at = 0; at < kMostSteps; at += Bytes16::kCount) {
      const Bytes16 steps = Bytes16::load(&steps_[home + at]);
      if (Block* const block = find_among(steps, home, at, address)) return block;
      if (steps.zeros() != 0) break;
    }
    return nullptr;
  }

  struct Found {
    Block& block;  // valid like find()'s
    bool is_new;   // the caller fills its chunk
  };
  Found find_or_add(uint64_t address) {
    for (;;) {
      const size_t home = home_of(address);
      for (size_t at = 0; at < kMostSteps; at += Bytes16::kCount) {
        const Bytes16 steps = Bytes16::load(&steps_[home + at]);
        if (Block* const block = find_among(steps, home, at, address)) return {*block, false};
        if (const uint32_t empty = steps.zeros()) {
          const size_t distance = at + static_cast<size_t>(std::countr_zero(empty));
          if (size_ == most_ || distance >= kMostSteps) break;
          steps_[home + distance] = static_cast<uint8_t>(distance + 1);
          ++size_;
          Block& block = blocks_[home + distance];
          block.address = address;
          return {block, true};
        }
      }
      grow_to(homes() * 2);
    }
  }
  void set(uint64_t address, const Chunk& chunk) { find_or_add(address).block.chunk = chunk; }

  // `block`: from find().
  void erase(Block* block) {
    size_t hole = static_cast<size_t>(block - blocks_.data());
    // The nearest behind it that would not come before its home moves up, and leaves the next hole.
    for (size_t at = 0;;) {
      const Bytes16 steps = Bytes16::load(&steps_[hole + 1 + at]);
      const uint32_t empty = steps.zeros();
      const uint32_t movable = steps.greater(Bytes16::count_from(static_cast<uint8_t>(at + 1)));
      if (const uint32_t before_empty = movable & (empty - 1) & ~empty) {
        const size_t distance = at + 1 + static_cast<size_t>(std::countr_zero(before_empty));
        blocks_[hole] = blocks_[hole + distance];
        steps_[hole] = static_cast<uint8_t>(steps_[hole + distance] - distance);
        hole += distance;
        at = 0;
        continue;
      }
      at += Bytes16::kCount;
      if (empty != 0 || at >= kMostSteps) break;
    }
    steps_[hole] = 0;
    --size_;
  }

  // So that as many blocks are taken in without the table growing on the way.
  void reserve(size_t blocks) {
    size_t wanted = homes();
    while (most_of(wanted) < blocks) wanted *= 2;
    if (wanted != homes()) grow_to(wanted);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Taken or not: what the table's memory grows with.
  size_t places() const { return blocks_.size(); }

  // visit(address, chunk)
  template <class Visit>
  void visit(Visit&& visit) const {
    for (size_t place = 0; place < blocks_.size(); ++place)
      if (steps_[place] != 0) visit(blocks_[place].address, blocks_[place].chunk);
  }
  template <class Visit>
  void visit(Visit&& visit) {
    for (size_t place = 0; place < blocks_.size(); ++place)
      if (steps_[place] != 0) visit(blocks_[place].address, blocks_[place].chunk);
  }

 private:
  static constexpr size_t kFirstHomes = 256;
  static constexpr size_t kMostSteps = 240;  // from home to block, less one: whole loads of sixteen
  static_assert(kMostSteps % Bytes16::kCount == 0 && kMostSteps + Bytes16::kCount <= UINT8_MAX + 1);

  static constexpr size_t most_of(size_t homes) { return homes / 8 * 5; }
  size_t homes() const { return mask_ + 1; }
  size_t home_of(uint64_t address) const { return keyed_hash(address) & mask_; }

  // Of the blocks whose steps are those at `home + at`, the one of the address.
  Block* find_among(Bytes16 steps, size_t home, size_t at, uint64_t address) {
    for (uint32_t same = steps.equal(Bytes16::count_from(static_cast<uint8_t>(at + 1))); same != 0; same &= same - 1) {
      Block& block = blocks_[home + at + static_cast<size_t>(std::countr_zero(same))];
      if (block.address == address) return &block;
    }
    return nullptr;
  }

  void grow_to(size_t homes) {
    const std::vector<uint8_t> steps =
        std::exchange(steps_, std::vector<uint8_t>(homes + kMostSteps + Bytes16::kCount));
    const std::vector<Block> blocks = std::exchange(blocks_, std::vector<Block>(homes + kMostSteps));
    mask_ = homes - 1;
    most_ = most_of(homes);
    size_ = 0;
    for (size_t place = 0; place < blocks.size(); ++place)
      if (steps[place] != 0) set(blocks[place].address, blocks[place].chunk);
  }

  std::vector<uint8_t> steps_ = std::vector<uint8_t>(kFirstHomes + kMostSteps + Bytes16::kCount);
  std::vector<Block> blocks_ = std::vector<Block>(kFirstHomes + kMostSteps);
  size_t mask_ = kFirstHomes - 1;
  size_t most_ = most_of(kFirstHomes);
  size_t size_ = 0;
};

}  // namespace memprof
