// What leads where, against definitions that are followed to the letter on small random graphs.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "reach/dominators.h"
#include "reach/rings.h"
#include "reach_graphs.h"

using namespace memprof;
using namespace memprof::test;

namespace {

constexpr uint32_t kGraphs = 600;

// leads[a][b]: a path of at least one arrow.
using Paths = std::vector<std::vector<bool>>;

Paths paths_among(const RandomGraph& graph, const std::vector<bool>& is_in) {
  const uint32_t count = graph.count();
  Paths leads(count, std::vector<bool>(count));
  for (uint32_t from = 0; from < count; ++from)
    for (const auto& arrow : graph.arrows[from])
      if (is_in[from] && is_in[arrow.to]) leads[from][arrow.to] = true;
  for (uint32_t by = 0; by < count; ++by)
    for (uint32_t from = 0; from < count; ++from)
      for (uint32_t to = 0; to < count; ++to)
        if (leads[from][by] && leads[by][to]) leads[from][to] = true;
  return leads;
}

// Of the roots and of what they lead to, to the fixpoint.
std::vector<Reach> reached_by_roots(const RandomGraph& graph) {
  std::vector<Reach> of(graph.count(), Reach::definite);
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    const auto follow = [&](const RandomGraph::Arrow& arrow, bool from_reachable) {
      const Reach found = from_reachable && !arrow.is_interior ? Reach::reachable : Reach::possible;
      if (found <= of[arrow.to]) return;
      of[arrow.to] = found;
      is_changed = true;
    };
    for (const auto& root : graph.roots) follow(root, true);
    for (uint32_t block = 0; block < graph.count(); ++block)
      for (const auto& arrow : graph.arrows[block])
        if (of[block] >= Reach::possible) follow(arrow, of[block] == Reach::reachable);
  }
  return of;
}

struct Expected {
  std::vector<Reach> of;
  Paths lost_paths;
};

// A lost block is definite when whatever leads to it is in a ring with it and was allocated later.
Expected expected_of(const RandomGraph& graph) {
  Expected expected{reached_by_roots(graph), {}};
  std::vector<bool> is_lost;
  for (const Reach reach : expected.of) is_lost.push_back(reach == Reach::definite);
  expected.lost_paths = paths_among(graph, is_lost);
  const std::vector<uint32_t> ages = graph.ages();
  for (uint32_t block = 0; block < graph.count(); ++block)
    for (uint32_t other = 0; other < graph.count(); ++other) {
      if (other == block || !expected.lost_paths[other][block]) continue;
      if (!expected.lost_paths[block][other] || ages[other] < ages[block]) expected.of[block] = Reach::indirect;
    }
  return expected;
}

std::string describe(const RandomGraph& graph) {
  std::string text = "roots";
  const auto tell = [&](const RandomGraph::Arrow& arrow) {
    text += " " + std::to_string(arrow.to) + (arrow.is_interior ? "i" : "");
  };
  for (const auto& root : graph.roots) tell(root);
  for (uint32_t block = 0; block < graph.count(); ++block) {
    text += "\n" + std::to_string(block) + " (age " + std::to_string(graph.ages()[block]) + "):";
    for (const auto& arrow : graph.arrows[block]) tell(arrow);
  }
  return text;
}

// What can be come by from the roots and from the definite blocks, without `removed`.
std::vector<bool> come_by(const RandomGraph& graph, const std::vector<Reach>& of, uint32_t removed) {
  std::vector<bool> is_met(graph.count());
  std::vector<uint32_t> pending;
  const auto meet = [&](uint32_t block) {
    if (block == removed || is_met[block]) return;
    is_met[block] = true;
    pending.push_back(block);
  };
  for (const auto& root : graph.roots) meet(root.to);
  for (uint32_t block = 0; block < graph.count(); ++block)
    if (of[block] == Reach::definite) meet(block);
  while (!pending.empty()) {
    const uint32_t block = pending.back();
    pending.pop_back();
    for (const auto& arrow : graph.arrows[block]) meet(arrow.to);
  }
  return is_met;
}

}  // namespace

TEST_CASE("blocks are what the definitions say, on random graphs", "[reach]") {
  uint64_t met[4] = {};
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    const RandomGraph graph(seed);
    const Classified found = graph.classified();
    REQUIRE(found.classes->problem() == "");
    REQUIRE(found.classes->memory().blocks.size() == graph.count());
    const Reachability& reach = found.classes->reach();
    const Expected expected = expected_of(graph);
    INFO("graph " << seed << "\n" << describe(graph));
    for (uint32_t block = 0; block < graph.count(); ++block) {
      INFO("block " << block);
      REQUIRE(std::string(reach_name(reach.of[block])) == reach_name(expected.of[block]));
      ++met[static_cast<size_t>(reach.of[block])];
      const uint32_t leader = reach.leader[block];
      if (reach.of[block] != Reach::indirect) {
        REQUIRE(leader == block);
        continue;
      }
      REQUIRE(reach.of[leader] == Reach::definite);
      REQUIRE(expected.lost_paths[leader][block]);
    }
  }
  for (const uint64_t count : met) CHECK(count > kGraphs / 4);
}

TEST_CASE("a block retains what cannot be come by without it, on random graphs", "[reach]") {
  uint64_t dominated = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    const RandomGraph graph(seed);
    const Classified found = graph.classified();
    const std::vector<Reach>& of = found.classes->reach().of;
    const Dominators dominators(found.classes->graph(), found.classes->reach());
    INFO("graph " << seed << "\n" << describe(graph));
    std::vector<std::vector<bool>> retains;  // by block; itself left out
    const std::vector<bool> all = come_by(graph, of, UINT32_MAX);
    for (uint32_t block = 0; block < graph.count(); ++block) {
      std::vector<bool> left = come_by(graph, of, block);
      uint64_t bytes = graph.sizes[block];
      uint32_t blocks = 1;
      for (uint32_t other = 0; other < graph.count(); ++other) {
        left[other] = all[other] && !left[other] && other != block;
        if (!left[other]) continue;
        bytes += graph.sizes[other];
        ++blocks;
      }
      INFO("block " << block);
      REQUIRE(dominators.retained_blocks(block) == blocks);
      REQUIRE(dominators.retained_bytes(block) == bytes);
      retains.push_back(std::move(left));
    }
    // The next one outward is retained by every other that retains the block.
    for (uint32_t block = 0; block < graph.count(); ++block) {
      uint32_t expected = Dominators::kRoot;
      for (uint32_t outer = 0; outer < graph.count(); ++outer)
        if (retains[outer][block] && (expected == Dominators::kRoot || retains[expected][outer])) expected = outer;
      INFO("block " << block);
      REQUIRE(dominators.dominator_of(block) == expected);
      dominated += expected != Dominators::kRoot;
    }
    // The walk enters each block once, within all that retain it.
    std::vector<uint32_t> open;
    std::vector<uint32_t> entered(graph.count());
    dominators.visit_tree(
        [&](uint32_t block) {
          ++entered[block];
          std::vector<uint32_t> outer;
          for (uint32_t other = 0; other < graph.count(); ++other)
            if (retains[other][block]) outer.push_back(other);
          std::vector<uint32_t> sorted = open;
          std::sort(sorted.begin(), sorted.end());
          REQUIRE(sorted == outer);
          open.push_back(block);
        },
        [&](uint32_t block) {
          REQUIRE(open.back() == block);
          open.pop_back();
        });
    REQUIRE(open.empty());
    for (uint32_t block = 0; block < graph.count(); ++block) REQUIRE(entered[block] == (all[block] ? 1 : 0));
  }
  CHECK(dominated > kGraphs);
}

TEST_CASE("rings are the sets of blocks that lead to each other, on random graphs", "[reach]") {
  uint64_t found_rings = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    const RandomGraph graph(seed);
    const Classified found = graph.classified();
    std::mt19937 random(seed);
    std::vector<bool> is_wanted;
    for (uint32_t block = 0; block < graph.count(); ++block) is_wanted.push_back(random() % 8 != 0);
    const Paths leads = paths_among(graph, is_wanted);
    std::vector<std::vector<uint32_t>> expected;
    std::vector<bool> is_taken(graph.count());
    for (const uint32_t oldest : graph.age_order) {
      if (is_taken[oldest] || !leads[oldest][oldest]) continue;
      std::vector<uint32_t>& ring = expected.emplace_back();
      for (const uint32_t member : graph.age_order)
        if (member == oldest || (leads[oldest][member] && leads[member][oldest])) {
          ring.push_back(member);
          is_taken[member] = true;
        }
    }
    INFO("graph " << seed << "\n" << describe(graph));
    REQUIRE(find_rings(found.classes->graph(), is_wanted) == expected);
    found_rings += expected.size();
  }
  CHECK(found_rings > kGraphs / 4);
}

TEST_CASE("the block at an address is found as by looking at all of them", "[reach]") {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<LiveBlock> blocks;
    uint64_t address = 0x10000;
    for (uint64_t i = random() % 200; i > 0; --i) {
      address += random() % 3 == 0 ? random() % 20000 : random() % 64;
      LiveBlock block;
      block.address = address;
      block.size = random() % 10 == 0 ? random() % 30000 : random() % 100;
      address = block.end();
      blocks.push_back(block);
    }
    const BlockIndex index(blocks);
    const auto check = [&](uint64_t wanted) {
      uint32_t expected = BlockIndex::kNone;
      for (uint32_t i = 0; i < blocks.size(); ++i)
        if (wanted >= blocks[i].address && wanted - blocks[i].address < std::max<uint64_t>(blocks[i].size, 1))
          expected = i;
      INFO("seed " << seed << ", address " << wanted);
      REQUIRE(index.find(wanted) == expected);
    };
    for (const LiveBlock& block : blocks)
      for (const uint64_t offset :
           {uint64_t{0}, block.size / 2, block.size - 1, block.size, block.size + 1, ~uint64_t{0}})
        check(block.address + offset);
    for (int i = 0; i < 300; ++i) check(0xf000 + random() % (address - 0xf000 + 9000));
    check(0);
    check(UINT64_MAX);
  }
}

TEST_CASE("pages that held blocks are found as by looking at all of them", "[reach]") {
  constexpr uint64_t kPage = 4096;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    HeldPages pages;
    std::vector<std::pair<uint64_t, uint64_t>> blocks;                            // address, ticks
    const uint64_t span = seed % 3 == 0 ? uint64_t{1} << 42 : uint64_t{1} << 24;  // sparse: terabytes
    for (uint64_t i = random() % 50; i > 0; --i) {
      blocks.emplace_back(random() % span, random() % 100);
      pages.note(blocks.back().first, blocks.back().second);
    }
    const auto expected = [&](uint64_t start, uint64_t end, uint64_t since) {
      return std::any_of(blocks.begin(), blocks.end(), [&](const auto& block) {
        return start < end && block.first / kPage >= start / kPage && block.first / kPage <= (end - 1) / kPage &&
               block.second >= since;
      });
    };
    for (int i = 0; i < 400; ++i) {
      uint64_t start = random() % span, end = start + random() % (i % 2 == 0 ? span : 3 * kPage);
      if (!blocks.empty() && i % 5 == 0) {
        start = blocks[random() % blocks.size()].first;
        end = start + random() % 3;
      }
      const uint64_t since = random() % 110;
      INFO("seed " << seed << ": " << start << " to " << end << " since " << since);
      REQUIRE(pages.held_any(start, end, since) == expected(start, end, since));
    }
  }
}
