// The table of live blocks, against a map: addresses at random, and such as share a few homes, also the last ones.
#include <catch2/catch.hpp>
#include <random>
#include <unordered_map>
#include <vector>

#include "model/block_table.h"

using namespace memprof;

namespace {

// A chunk that is known by its size.
Chunk chunk_of(uint64_t size) {
  Chunk chunk;
  chunk.size = size;
  return chunk;
}

// Addresses whose homes lie among the last `homes` of a table of `of` homes.
std::vector<uint64_t> addresses_at_the_end(size_t count, size_t homes, size_t of) {
  std::vector<uint64_t> addresses;
  for (uint64_t address = 16; addresses.size() < count; address += 16)
    if ((keyed_hash(address) & (of - 1)) >= of - homes) addresses.push_back(address);
  return addresses;
}

class Checked {
 public:
  void add(uint64_t address, uint64_t size) {
    const bool is_new = !known_.contains(address);
    const auto [block, was_new] = table_.find_or_add(address);
    REQUIRE(was_new == is_new);
    REQUIRE(block.address == address);
    if (!is_new) REQUIRE(block.chunk.size == known_[address]);
    block.chunk = chunk_of(size);
    known_[address] = size;
  }
  void erase(uint64_t address) {
    BlockTable::Block* const block = table_.find(address);
    REQUIRE((block != nullptr) == known_.contains(address));
    if (!block) return;
    REQUIRE(block->address == address);
    REQUIRE(block->chunk.size == known_[address]);
    table_.erase(block);
    known_.erase(address);
  }
  void check_all(const std::vector<uint64_t>& addresses) {
    REQUIRE(table_.size() == known_.size());
    for (const uint64_t address : addresses) {
      const BlockTable::Block* const block = table_.find(address);
      REQUIRE((block != nullptr) == known_.contains(address));
      if (block) REQUIRE(block->chunk.size == known_[address]);
    }
    size_t visited = 0;
    table_.visit([&](uint64_t address, const Chunk& chunk) {
      ++visited;
      REQUIRE(known_.at(address) == chunk.size);
    });
    REQUIRE(visited == known_.size());
  }
  BlockTable& table() { return table_; }

 private:
  BlockTable table_;
  std::unordered_map<uint64_t, uint64_t> known_;
};

void come_and_go(Checked& checked, const std::vector<uint64_t>& addresses, unsigned add_of_hundred, size_t steps,
                 std::mt19937_64& random) {
  for (size_t i = 0; i < steps; ++i) {
    const uint64_t address = addresses[random() % addresses.size()];
    random() % 100 < add_of_hundred ? checked.add(address, random()) : checked.erase(address);
  }
  checked.check_all(addresses);
}

}  // namespace

TEST_CASE("blocks come and go as in a map", "[blocks]") {
  std::mt19937_64 random(1);
  std::vector<uint64_t> addresses;
  for (int i = 0; i < 20'000; ++i) addresses.push_back(random());
  Checked checked;
  for (const unsigned add : {90u, 50u, 10u, 60u}) come_and_go(checked, addresses, add, 60'000, random);
}

TEST_CASE("blocks that share a few homes come and go as in a map", "[blocks]") {
  std::mt19937_64 random(2);
  for (const size_t homes : {1, 3, 40}) {
    INFO(homes << " homes");
    // A table of 1,024 homes does not grow for 200 blocks, nor because of their steps.
    Checked checked;
    checked.table().reserve(600);
    const size_t places = checked.table().places();
    const std::vector<uint64_t> addresses = addresses_at_the_end(200, homes, 1024);
    for (const unsigned add : {90u, 50u, 20u, 70u}) come_and_go(checked, addresses, add, 4'000, random);
    CHECK(checked.table().places() == places);
  }
}

TEST_CASE("blocks of one home that are too many let the table grow", "[blocks]") {
  Checked checked;
  const std::vector<uint64_t> addresses = addresses_at_the_end(1'000, 1, 256);
  for (const uint64_t address : addresses) checked.add(address, address);
  checked.check_all(addresses);
  for (const uint64_t address : addresses) checked.erase(address);
  checked.check_all(addresses);
}

TEST_CASE("a table that has room reserved does not grow on the way", "[blocks]") {
  BlockTable table;
  table.reserve(100'000);
  const size_t places = table.places();
  std::mt19937_64 random(3);
  for (int i = 0; i < 100'000; ++i) table.set(random(), chunk_of(1));
  CHECK(table.places() == places);
  table.reserve(10);
  CHECK(table.places() == places);
}
