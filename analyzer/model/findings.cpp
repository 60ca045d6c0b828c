#include "model/findings.h"

#include <algorithm>

namespace memprof {

namespace {

template <class Group>
std::vector<Group> most_frequent_first(std::vector<Group> groups) {
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.count > b.count; });
  return groups;
}

}  // namespace

void Findings::add_mismatch(StackId alloc_stack, uint16_t alloc_tag, StackId free_stack, uint16_t free_tag,
                            uint64_t bytes) {
  MismatchGroup* group = mismatches_.find_or_add({alloc_stack, free_stack, alloc_tag, free_tag});
  if (!group) return;
  group->alloc_stack = alloc_stack;
  group->free_stack = free_stack;
  group->alloc_tag = alloc_tag;
  group->free_tag = free_tag;
  ++group->count;
  group->bytes += bytes;
}

void Findings::add_double_allocation(StackId first, uint16_t first_tag, StackId second, uint16_t second_tag,
                                     uint64_t address) {
  DoubleAllocationGroup* group = doubles_.find_or_add({first, second});
  if (!group) return;
  if (group->count == 0) *group = {first, second, first_tag, second_tag, 0, address};
  ++group->count;
}

std::vector<MismatchGroup> Findings::mismatches() const { return most_frequent_first(mismatches_.all()); }

std::vector<DoubleAllocationGroup> Findings::double_allocations() const { return most_frequent_first(doubles_.all()); }

}  // namespace memprof
