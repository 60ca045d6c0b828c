#include "model/choice.h"

#include <algorithm>

namespace memprof {

Choice::Choice(const Selection& selection, const StackNodes& nodes, const std::vector<Thread>& threads)
    : selection_(selection), nodes_(nodes) {
  if (selection.tag) {
    tags_.resize(size_t{UINT16_MAX} + 1);
    for (size_t tag = 0; tag < tags_.size(); ++tag) tags_[tag] = selection.tag(static_cast<uint16_t>(tag));
  }
  if (selection.thread)
    for (const Thread& thread : threads) threads_.push_back(selection.thread(thread));
  // Ids 0 to kFirstNode - 1 are there whatever the trace holds.
  if (selection.stack) stacks_.resize(std::max<size_t>(nodes.id_limit(), format::kFirstNode), Answer::unknown);
}

void Choice::ask(StackId stack) const {
  const StackId canonical = nodes_.canonical_stack(stack);
  Answer& answer = stacks_[canonical < stacks_.size() ? canonical : StackNodes::kLostStack];
  if (answer == Answer::unknown) answer = selection_.stack(canonical) ? Answer::yes : Answer::no;
  stacks_[stack] = answer;
}

bool Choice::has_orphan(const Event& release, uint32_t thread) const {
  if (selection_.stack || selection_.least_size != 0 || selection_.most_size != Selection::kNoLimit) return false;
  if (selection_.least_lifetime_ns != 0 || selection_.most_lifetime_ns != Selection::kNoLimit || selection_.temporary ||
      selection_.alive_at_ns)
    return false;
  if (selection_.state && *selection_.state != BlockState::orphaned) return false;
  return (tags_.empty() || tags_[release.tag]) && (threads_.empty() || threads_[thread]);
}

}  // namespace memprof
