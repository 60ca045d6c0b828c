// A selection, ready for pairing to ask about each block: O(1) an event.
#pragma once

#include <cstdint>
#include <vector>

#include "model/disputes.h"
#include "model/selection.h"
#include "trace/stack_nodes.h"

namespace memprof {

class Choice {
 public:
  // `selection` and `nodes` outlive it.
  Choice(const Selection& selection, const StackNodes& nodes, const std::vector<Thread>& threads);

  // Which allocations have a chosen fate, a bit for each event by its number; without them every fate is.
  void set_fates(std::vector<bool> fates) {
    fates_ = std::move(fates);
    knows_fates_ = true;
  }

  bool has_block(StackId stack, uint16_t tag, uint64_t size, uint32_t thread, uint64_t number) const {
    if (size < selection_.least_size || size > selection_.most_size) return false;
    if (!tags_.empty() && !tags_[tag]) return false;
    if (!threads_.empty() && !threads_[thread]) return false;
    if (selection_.stack && !has_stack(stack)) return false;
    return !knows_fates_ || (number < fates_.size() && fates_[number]);
  }
  bool has_orphan(const Event& release, uint32_t thread) const;

 private:
  enum class Answer : uint8_t { unknown, no, yes };

  bool has_stack(StackId stack) const {
    const StackId known = stack < stacks_.size() ? stack : StackNodes::kLostStack;
    if (stacks_[known] == Answer::unknown) ask(known);
    return stacks_[known] == Answer::yes;
  }
  void ask(StackId stack) const;

  const Selection& selection_;
  const StackNodes& nodes_;
  std::vector<bool> tags_, threads_;    // empty: all
  mutable std::vector<Answer> stacks_;  // by raw id; asked by one thread, that of pairing
  std::vector<bool> fates_;
  bool knows_fates_ = false;
};

}  // namespace memprof
