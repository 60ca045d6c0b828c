// Blocks that lead to each other: rings that hold themselves, which counting references does not free.
#pragma once

#include <cstdint>
#include <vector>

#include "reach/block_graph.h"

namespace memprof {

// The strongly connected sets of more than one block, and blocks that point to themselves, among those with
// `is_wanted`. The members of a ring are in the order of their allocation, and so are the rings, by their first member.
// Source of the method: Tarjan's algorithm.
std::vector<std::vector<uint32_t>> find_rings(const BlockGraph& graph, const std::vector<bool>& is_wanted);

}  // namespace memprof
