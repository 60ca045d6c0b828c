// The stack nodes of a new trace: those that its events need.
#pragma once

#include <vector>

#include "trace/new_trace_file.h"
#include "trace/stack_nodes.h"

namespace memprof {

class StackPages {
 public:
  explicit StackPages(const StackNodes& nodes) : nodes_(nodes), is_needed_(nodes.id_limit()) {}

  // What stands for the stack in the new trace: equal stacks become one. Its nodes are kept.
  StackId keep(StackId stack);
  void write(NewTraceFile& out) const;

 private:
  const StackNodes& nodes_;
  std::vector<bool> is_needed_;  // by id
};

}  // namespace memprof
