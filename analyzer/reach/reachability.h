// What memcheck would say of each live block.
//
//   reachable   a root leads to it by plain pointers
//   possible    roots lead to it, but only by way of pointers into the middle of blocks
//   definite    nothing leads to it, or only a ring of lost blocks of which it was allocated first
//   indirect    only lost blocks lead to it
//
// Source of the method: memcheck's leak check, whose leaders of rings are those with the lowest address; here they are
// the oldest, as addresses change from run to run.
#pragma once

#include <cstdint>
#include <vector>

#include "reach/block_graph.h"

namespace memprof {

enum class Reach : uint8_t { definite, indirect, possible, reachable };

struct Reachability {
  std::vector<Reach> of;         // by block
  std::vector<uint32_t> leader;  // by block: of an indirect one, the definite one that it is lost with; else itself
};

Reachability classify(const BlockGraph& graph);

}  // namespace memprof
