// Random traces against a slow account that shares no code with the analyzer: plain maps, one pass over all events in
// the order that their times give.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>

#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

struct OracleSite {
  uint64_t allocations = 0, bytes = 0, open = 0, open_bytes = 0, peak = 0, at_peak = 0, at_peak_chunks = 0;
  bool operator==(const OracleSite&) const = default;
};

struct Oracle {
  struct Block {
    uint64_t size;
    uint32_t stack;
  };
  std::map<uint64_t, Block> live;
  std::map<uint32_t, OracleSite> sites;
  uint64_t open_bytes = 0, peak = 0, peak_chunks = 0, peak_time = 0, orphans = 0;

  void alloc(uint64_t time, uint64_t address, uint64_t size, uint32_t stack) {
    live[address] = {size, stack};
    OracleSite& site = sites[stack];
    ++site.allocations;
    site.bytes += size;
    ++site.open;
    site.open_bytes += size;
    site.peak = std::max(site.peak, site.open_bytes);
    open_bytes += size;
    if (open_bytes <= peak) return;
    peak = open_bytes;
    peak_chunks = live.size();
    peak_time = time;
    for (auto& [id, s] : sites) {  // the copy that the analyzer never makes
      s.at_peak = s.open_bytes;
      s.at_peak_chunks = s.open;
    }
  }
  void free(uint64_t address) {
    const auto block = live.find(address);
    if (block == live.end()) {
      ++orphans;
      return;
    }
    OracleSite& site = sites[block->second.stack];
    --site.open;
    site.open_bytes -= block->second.size;
    open_bytes -= block->second.size;
    live.erase(block);
  }
};

}  // namespace

TEST_CASE("sums, peaks and shares at the peak agree with a slow account on random traces", "[pairing]") {
  std::mt19937_64 random(20240607);
  for (int round = 0; round < 60; ++round) {
    const uint32_t threads = 1 + static_cast<uint32_t>(random() % 5);
    const uint64_t step = round % 3 == 0 ? 1 : 40;  // many equal ticks, or few
    TraceBuilder b;
    std::vector<uint32_t> stacks;
    for (int i = 0; i < 12; ++i) stacks.push_back(b.stack(0x100 + static_cast<uint64_t>(i)));
    Oracle oracle;
    uint64_t time = 100;
    std::vector<uint64_t> free_addresses;
    for (uint64_t i = 0; i < 300; ++i) free_addresses.push_back(0x10000 + i * 16);
    std::vector<uint64_t> live;
    for (int event = 0; event < 2000; ++event) {
      // Strictly later than the event before where order matters to the sums: equal times only inside one stream.
      const uint32_t stream = 1 + static_cast<uint32_t>(random() % threads);
      time += 1 + random() % step;
      const bool grow = random() % 100 < (event < 1200 ? 60u : 35u);
      const uint64_t size = random() % 3 == 0 ? random() % 100000 : random() % 200;
      const uint32_t stack = stacks[random() % stacks.size()];
      if ((grow || live.empty()) && !free_addresses.empty()) {
        const size_t at = random() % free_addresses.size();
        const uint64_t address = free_addresses[at];
        free_addresses.erase(free_addresses.begin() + static_cast<std::ptrdiff_t>(at));
        live.push_back(address);
        b.alloc(stream, time, address, size, stack);
        oracle.alloc(time, address, size, stack);
      } else if (random() % 8 == 0 && !live.empty()) {
        const size_t at = random() % live.size();
        const uint64_t old_address = live[at];
        uint64_t address = old_address;
        if (random() % 2 && !free_addresses.empty()) {
          address = free_addresses.back();
          free_addresses.back() = old_address;
          live[at] = address;
        }
        b.realloc(stream, time, time + 1, old_address, address, size, stack);
        oracle.free(old_address);
        oracle.alloc(time + 1, address, size, stack);
        ++time;
      } else if (!live.empty()) {
        const size_t at = random() % live.size();
        b.free(stream, time, live[at]);
        oracle.free(live[at]);
        free_addresses.push_back(live[at]);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (random() % 200 == 0) b.new_page(stream);
    }
    b.close(time + 100'000);
    const Analysed a(b);
    REQUIRE(a.heap().orphans() == oracle.orphans);
    REQUIRE(a.heap().double_allocations == 0);
    REQUIRE(a.heap().open_chunks() == oracle.live.size());
    REQUIRE(a.heap().open_bytes() == oracle.open_bytes);
    REQUIRE(a.heap().sites.peak_bytes() == oracle.peak);
    REQUIRE(a.heap().sites.peak_chunks() == oracle.peak_chunks);
    REQUIRE(a.trace.clock.ns_since_start(a.heap().sites.peak_ticks()) == oracle.peak_time);
    uint64_t at_peak = 0;
    for (const Site& site : a.heap().sites.all()) {
      const OracleSite& want = oracle.sites.at(site.stack);
      const OracleSite got{site.allocations, site.bytes_allocated, site.open_chunks,   site.open_bytes,
                           site.peak_bytes,  site.at_peak_bytes,   site.at_peak_chunks};
      REQUIRE((got == want));
      at_peak += site.at_peak_bytes;
    }
    REQUIRE(at_peak == oracle.peak);
  }
}

TEST_CASE("threads that pass blocks to each other through inverted stamps leave nothing behind", "[pairing]") {
  // Every hand-over is inverted or equal by up to 500 ns, in both directions; true causality holds.
  std::mt19937_64 random(7);
  struct Planned {
    uint64_t time;
    uint32_t stream;
    bool is_alloc;
    uint64_t address;
  };
  for (int round = 0; round < 20; ++round) {
    std::vector<Planned> plan;
    for (uint64_t slot = 0; slot < 20; ++slot) {
      uint64_t time = 10'000;
      uint32_t stream = 1 + static_cast<uint32_t>(random() % 4);
      for (int use = 0; use < 100; ++use) {
        const uint32_t other = 1 + (stream + static_cast<uint32_t>(random() % 3)) % 4;  // never the same stream
        // Truth: alloc on `stream` at time, free on `other` shortly after; the stamps may say otherwise.
        plan.push_back({time + random() % 400, stream, true, 0x1000 + slot * 16});
        plan.push_back({time + 100 + random() % 200, other, false, 0x1000 + slot * 16});
        time += 20'000;
        stream = other % 4 + 1;
      }
    }
    std::stable_sort(plan.begin(), plan.end(), [](const Planned& a, const Planned& b) { return a.time < b.time; });
    TraceBuilder b;
    const uint32_t s = b.stack(0x100);
    for (const Planned& p : plan)
      p.is_alloc ? b.alloc(p.stream, p.time, p.address, 8, s) : b.free(p.stream, p.time, p.address);
    b.close(10'000'000);
    const Analysed a(b);
    REQUIRE(a.heap().allocations == 2000);
    REQUIRE(a.heap().orphans() == 0);
    REQUIRE(a.heap().open_chunks() == 0);
    REQUIRE(a.heap().double_allocations == 0);
  }
}

TEST_CASE("addresses in quick reuse by their own and other threads are paired through inverted stamps", "[pairing]") {
  // True causality holds; each stamp is up to 500 ns early, each thread's own are in order.
  std::mt19937_64 random(11);
  for (int round = 0; round < 15; ++round) {
    constexpr uint32_t kStreams = 4;
    const uint64_t slots = 1 + random() % 8;
    std::vector<uint32_t> owner(slots, 0);  // stream of the live block, 0: none
    std::vector<uint64_t> latest(kStreams + 1, 0);
    TraceBuilder b;
    const uint32_t s = b.stack(0x100);
    uint64_t time = 100'000, allocations = 0, bytes = 0;
    for (int i = 0; i < 4000; ++i) {
      time += random() % 120;
      const uint64_t slot = random() % slots, address = 0x1000 + slot * 16;
      const bool stays = random() % 100 < 60;
      const uint32_t stream = owner[slot] != 0 && stays ? owner[slot] : 1 + static_cast<uint32_t>(random() % kStreams);
      latest[stream] = std::max(latest[stream] + 1, time - random() % 500);
      if (owner[slot] != 0) {
        b.free(stream, latest[stream], address);
        owner[slot] = 0;
      } else {
        const uint64_t size = 1 + random() % 100;
        b.alloc(stream, latest[stream], address, size, s);
        bytes += size;
        ++allocations;
        owner[slot] = stream;
      }
    }
    for (uint64_t slot = 0; slot < slots; ++slot) {
      if (owner[slot] != 0)
        b.free(owner[slot], latest[owner[slot]] = std::max(latest[owner[slot]] + 1, time + 1000), 0x1000 + slot * 16);
    }
    b.close(10'000'000);
    const Analysed a(b);
    CAPTURE(round, slots);
    CHECK(a.heap().allocations == allocations);
    CHECK(a.heap().bytes_allocated == bytes);
    CHECK(a.heap().orphans() == 0);
    CHECK(a.heap().double_allocations == 0);
    CHECK(a.heap().open_chunks() == 0);
    CHECK(a.heap().open_bytes() == 0);
    CHECK(a.heap().frees() == allocations);
  }
}
