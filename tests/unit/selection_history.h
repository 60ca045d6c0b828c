// Random histories for the tests of selections: what happened, event by event, and the trace that tells of it.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "trace_builder.h"

namespace memprof::test {

inline constexpr uint64_t kMemoryPage = 4096;

// One event as an analysis takes it; a realloc is two.
struct Step {
  uint64_t ticks = 0;
  uint32_t stream = 0;  // as in the trace: the builder's number
  bool is_allocation = false;
  bool continues = false;  // the second half of a realloc
  uint64_t address = 0;
  uint64_t size = 0;
  uint32_t stack = 0;  // as in the trace: several may stand for one
  uint16_t tag = 0;

  uint32_t thread() const { return stream % 1000; }
};

struct HistoryPlan {
  uint64_t seed = 0;
  int events = 1500;
  uint32_t threads = 4;
  bool has_signal_streams = false;  // of a thread, beside its own
  bool is_dense = false;            // many events at one time
  bool has_contradictions = true;   // orphans, addresses allocated twice
  uint32_t flags = 0;               // of the file
  unsigned ticks_per_ns = 1;
  bool is_closed = true;
};

class SelectionHistory {
 public:
  explicit SelectionHistory(const HistoryPlan& plan);

  HistoryPlan plan;
  TraceBuilder builder;
  std::vector<Step> steps;                        // in the order of the clock
  std::map<uint32_t, uint32_t> canonical_stacks;  // by stack as in the trace
  std::vector<uint16_t> allocator_tags;
  uint64_t end_ticks = 0;

  // As reports count: since the start.
  uint64_t ns(uint64_t ticks) const { return (ticks - TraceBuilder::kStart) / plan.ticks_per_ns; }
  uint64_t duration_ns() const { return ns(end_ticks); }

 private:
  // A place for blocks: addresses that are free, and those that are not.
  struct Pool {
    std::vector<uint64_t> free_addresses, live;
    std::vector<uint16_t> allocators, releasers;
    uint16_t reallocator = 0;  // 0: has none
    uint64_t nowhere = 0;      // never allocated
  };
  void make_stacks();
  void act();
  void act_on(Pool& pool);
  void act_on_mappings();
  uint32_t pick_stream(uint64_t address);
  void quiet(uint64_t ns) { time_ += ns; }
  uint64_t pick(uint64_t below) { return random_() % below; }
  uint64_t pick_size();
  void add(Step step);
  void write();

  std::mt19937_64 random_;
  std::vector<uint32_t> stacks_, streams_;
  std::vector<std::vector<Step>> planned_;                     // by stream
  std::map<uint32_t, uint64_t> latest_;                        // by stream: the time of its last event
  std::map<uint64_t, std::pair<uint64_t, uint32_t>> touched_;  // by address: when, by which stream
  std::vector<Pool> pools_;
  std::map<uint64_t, uint64_t> mapped_;  // address to length, as they were mapped; parts may be gone
  uint64_t time_ = 0;                    // ticks since the start
};

// The order in which events of several streams are taken: by time, of equal times releases first, a stream's own order
// kept; where that leaves a choice, the stream that was taken from last goes on.
std::vector<Step> merged(const std::map<uint32_t, std::vector<Step>>& streams);

}  // namespace memprof::test
