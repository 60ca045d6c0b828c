// Frees with the wrong function and addresses allocated twice, grouped by their stacks.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "trace/stack_nodes.h"

namespace memprof {

struct MismatchGroup {
  StackId alloc_stack;
  StackId free_stack;  // kNoStack unless the trace has stacks of frees
  uint16_t alloc_tag, free_tag;
  uint64_t count = 0, bytes = 0;
};

struct DoubleAllocationGroup {
  StackId first_stack, second_stack;
  uint16_t first_tag, second_tag;
  uint64_t count = 0;
  uint64_t address = 0;  // of the first one
};

// Counts by key, up to a bound: real programs have a handful, a hostile trace may have one a record.
template <class Group, class Key>
class FindingGroups {
 public:
  // nullptr when there are too many kinds already.
  Group* find_or_add(const Key& key) {
    const auto found = groups_.find(key);
    if (found != groups_.end()) return &found->second;
    if (groups_.size() >= kMaxGroups) {
      ++uncounted_;
      return nullptr;
    }
    return &groups_[key];
  }
  std::vector<Group> all() const {
    std::vector<Group> result;
    for (const auto& [key, group] : groups_) result.push_back(group);
    return result;
  }
  uint64_t uncounted() const { return uncounted_; }

 private:
  static constexpr size_t kMaxGroups = 10'000;
  std::map<Key, Group> groups_;
  uint64_t uncounted_ = 0;
};

class Findings {
 public:
  void add_mismatch(StackId alloc_stack, uint16_t alloc_tag, StackId free_stack, uint16_t free_tag, uint64_t bytes);
  void add_double_allocation(StackId first, uint16_t first_tag, StackId second, uint16_t second_tag, uint64_t address);

  // Most frequent first.
  std::vector<MismatchGroup> mismatches() const;
  std::vector<DoubleAllocationGroup> double_allocations() const;
  // Mismatches in no group: counted, their stacks not kept.
  uint64_t ungrouped_mismatches() const { return mismatches_.uncounted(); }

 private:
  FindingGroups<MismatchGroup, std::tuple<StackId, StackId, uint16_t, uint16_t>> mismatches_;
  FindingGroups<DoubleAllocationGroup, std::tuple<StackId, StackId>> doubles_;
};

}  // namespace memprof
