// A program with some threads that allocate and free, without its memory: every step is one event of the trace.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "synthetic/call_sites.h"
#include "synthetic/heap.h"
#include "synthetic/random.h"
#include "synthetic/totals.h"
#include "synthetic/trace_pages.h"

namespace memprof::synthetic {

struct Shape {
  uint64_t events = 1'000'000'000;
  uint64_t live = 1'000'000;
  uint64_t threads = 4;
  uint64_t stacks = 100'000;
  uint64_t seed = 1;
};

class Program {
 public:
  Program(const Shape& shape, TracePages& trace);

  void run();
  const Totals& totals() const { return totals_; }
  size_t stacks_used() const { return sites_.stacks_used(); }
  uint64_t threads_used() const;
  uint64_t ticks() const { return ticks_; }

 private:
  struct Block {
    uint64_t address = 0;  // 0: none
    uint32_t size = 0;
    uint8_t size_class = 0;
    format::Function function{};
  };
  struct Thread {
    bool has_run = false;
    CallSites::Body body{};
    uint32_t next = 0;  // operation
    uint64_t calls_left = 0;
    std::array<Block, CallSites::kSlots> slots{};
    std::deque<Block> queue;    // to be freed in turn
    std::vector<Block> doomed;  // to be freed next
    uint64_t latest_block = 0;  // allocated by the thread's latest event
  };

  void step(size_t index);
  void begin_call(Thread& thread);
  // False when it is left out this time.
  bool perform(size_t index, const Operation& operation);
  void allocate(size_t index, const Operation& operation);
  void grow(size_t index, const Operation& operation);
  void free(size_t index, const Block& block);
  void keep(Thread& thread, const Block& block);
  uint64_t kept_wanted() const;
  uint32_t size_at(const Site& site);
  uint64_t next_ticks();

  const Shape shape_;
  TracePages& trace_;
  Random random_;
  CallSites sites_;
  Heap heap_;
  std::vector<Thread> threads_;
  size_t queue_length_;
  std::vector<Block> kept_;
  uint64_t ticks_ = TracePages::kStartTicks;
  Totals totals_;
};

}  // namespace memprof::synthetic
