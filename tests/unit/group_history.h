// A random trace of blocks in two domains, with and without tags, and a slow account of it for the tests of groups:
// plain lists, sharing no code with the analyzer.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "trace_builder.h"

namespace memprof::test {

struct GroupedBlock {
  uint64_t born = 0, size = 0;
  std::optional<uint64_t> died;
  uint32_t thread = 0, killer = 0;  // serials
  std::string stack, domain, allocator, tag;
};

struct GroupSums {
  uint64_t allocations = 0, bytes = 0, open = 0, open_bytes = 0, peak = 0, at_peak = 0;
  uint64_t frees = 0, bytes_freed = 0;  // of blocks
  auto operator<=>(const GroupSums&) const = default;
};

class GroupHistory {
 public:
  explicit GroupHistory(uint64_t seed);

  static constexpr uint32_t kThreads = 3;
  TraceBuilder builder;
  uint64_t end = 0;
  std::vector<GroupedBlock> blocks;

  using Key = std::function<std::string(const GroupedBlock&)>;
  // Of the blocks of these domains, by group; "" is all of them.
  std::map<std::string, GroupSums> sums(const std::set<std::string>& domains, const Key& key) const;
  // What is open of a group after all that happened before a time.
  uint64_t open_bytes_before(uint64_t time, const std::set<std::string>& domains, const Key& key,
                             const std::string& group) const;

 private:
  struct Change {
    size_t block;
    bool is_birth;
  };
  std::vector<Change> changes_;
};

}  // namespace memprof::test
