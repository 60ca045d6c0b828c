// Random traces and a slow account of them for the tests of the tables: plain lists of blocks and of what happened to
// them, sharing no code with the analyzer.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "trace_builder.h"

namespace memprof::test {

struct HistoryBlock {
  uint64_t born = 0, size = 0;
  size_t stack = 0;  // index into History::stacks
  uint32_t thread = 0;
  std::string function;  // "malloc"
  std::optional<uint64_t> died;
  uint32_t killer = 0;

  uint64_t lifetime() const { return *died - born; }
};

struct HistoryRealloc {
  size_t stack;
  uint32_t thread;
  uint64_t taken, returned;
  bool took_block;
};

struct HistorySums {
  uint64_t allocations = 0, bytes = 0, open = 0, open_bytes = 0, peak = 0, peak_time = 0, at_peak = 0,
           at_peak_blocks = 0;
  uint64_t freed = 0, lifetime = 0, reallocs = 0, taken = 0, returned = 0;
};

class History {
 public:
  explicit History(uint64_t seed, bool is_rich = true);

  TraceBuilder builder;
  uint32_t threads = 0;
  std::vector<std::vector<std::string>> stacks;  // names as reports print them without symbols, innermost first
  std::vector<std::string> modules;              // of the innermost frame
  std::vector<HistoryBlock> blocks;
  std::vector<HistoryRealloc> reallocs;
  uint64_t peak = 0, peak_time = 0;

  using Key = std::function<std::string(size_t stack, uint32_t thread, const std::string& function)>;
  // By group, from a walk over everything that happened.
  std::map<std::string, HistorySums> sums(const Key& key) const;

 private:
  struct Change {
    uint64_t time;
    size_t block;
    bool is_birth;
  };
  void make_stacks(std::mt19937_64& random, size_t count);

  std::vector<uint32_t> stack_ids_;
  std::vector<Change> changes_;
};

}  // namespace memprof::test
