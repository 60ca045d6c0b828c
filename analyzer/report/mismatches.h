// Decides whether a block was really freed with the wrong function.
//
// The tags say which function memprof saw. Where libstdc++ is linked statically, the program's own operator new calls
// malloc and only malloc is seen; the innermost frame of the stack then says what the program called.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "model/analysis.h"
#include "report/frames.h"

namespace memprof {

// The family that a function name stands for when it is an operator new or delete, else Family::none.
format::Family family_of_operator(std::string_view function);

class MismatchJudge {
 public:
  MismatchJudge(const Trace& trace, FrameSource& source) : trace_(trace), source_(source) {}

  bool is_mismatch(StackId alloc_stack, uint16_t alloc_tag, StackId free_stack, uint16_t free_tag);

 private:
  format::Family family(StackId stack, uint16_t tag);

  const Trace& trace_;
  FrameSource& source_;
  std::map<std::pair<StackId, uint16_t>, format::Family> families_;
};

struct ConfirmedMismatches {
  std::vector<MismatchGroup> groups;  // most frequent first
  uint64_t count = 0;
};
// All domains together: mismatches are few.
ConfirmedMismatches confirm_mismatches(const Analysis& analysis, FrameSource& source);

}  // namespace memprof
