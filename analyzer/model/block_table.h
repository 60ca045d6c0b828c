// The live blocks of a domain by their address: open addressing, in two arrays of as many places.
//
//   steps_   a byte a place: 0 it is empty, else one more than the steps from the place that its block's hash names
//   blocks_  the blocks, 48 bytes each
//
// Pairing knows the addresses of the next events, so it asks for their places ahead (prefetch): with a million live
// blocks an access is a cache miss, 80 ns if it is waited for. That is why this is no library's table. The steps
// answer where a search ends and which blocks move up into a hole without a look at the blocks.
//
// Invariants: at most five eighths of the places are taken; between a block and the place that its hash names no place
// is empty. The hash is keyed, so a trace cannot choose addresses that all want one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

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
    size_t place = home_of(address);
    for (uint8_t steps = 1; steps_[place] != 0; ++steps, place = next(place))
      if (steps_[place] == steps && blocks_[place].address == address) return &blocks_[place];
    return nullptr;
  }

  struct Found {
    Block& block;  // valid like find()'s
    bool is_new;   // the caller fills its chunk
  };
  Found find_or_add(uint64_t address) {
    for (;;) {
      size_t place = home_of(address);
      uint8_t steps = 1;
      for (; steps_[place] != 0; ++steps, place = next(place)) {
        if (steps_[place] == steps && blocks_[place].address == address) return {blocks_[place], false};
        if (steps == kMostSteps) break;
      }
      if (size_ < most_ && steps < kMostSteps) {
        steps_[place] = steps;
        blocks_[place].address = address;
        ++size_;
        return {blocks_[place], true};
      }
      grow_to(blocks_.size() * 2);
    }
  }
  void set(uint64_t address, const Chunk& chunk) { find_or_add(address).block.chunk = chunk; }

  // `block`: from find().
  void erase(Block* block) {
    size_t hole = static_cast<size_t>(block - blocks_.data());
    // What comes behind moves up, unless it would come before its home.
    uint8_t distance = 1;
    for (size_t place = next(hole); steps_[place] != 0; place = next(place)) {
      if (steps_[place] > distance) {
        blocks_[hole] = blocks_[place];
        steps_[hole] = static_cast<uint8_t>(steps_[place] - distance);
        hole = place;
        distance = 0;
      }
      if (++distance == 0) break;  // no block is that far from its home
    }
    steps_[hole] = 0;
    --size_;
  }

  // So that as many blocks are taken in without the table growing on the way.
  void reserve(size_t blocks) {
    size_t places = blocks_.size();
    while (places / 8 * 5 < blocks) places *= 2;
    if (places != blocks_.size()) grow_to(places);
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
  static constexpr size_t kFirstPlaces = 1024;
  static constexpr uint8_t kMostSteps = 254;

  size_t home_of(uint64_t address) const { return keyed_hash(address) & mask_; }
  size_t next(size_t place) const { return (place + 1) & mask_; }

  void grow_to(size_t places) {
    const std::vector<uint8_t> steps = std::exchange(steps_, std::vector<uint8_t>(places));
    const std::vector<Block> blocks = std::exchange(blocks_, std::vector<Block>(places));
    mask_ = places - 1;
    most_ = places / 8 * 5;
    size_ = 0;
    for (size_t place = 0; place < blocks.size(); ++place)
      if (steps[place] != 0) set(blocks[place].address, blocks[place].chunk);
  }

  std::vector<uint8_t> steps_ = std::vector<uint8_t>(kFirstPlaces);
  std::vector<Block> blocks_ = std::vector<Block>(kFirstPlaces);
  size_t mask_ = kFirstPlaces - 1;
  size_t most_ = kFirstPlaces / 8 * 5;
  size_t size_ = 0;
};

}  // namespace memprof
