#include "report/mismatches.h"

namespace memprof {

using format::Family;

Family family_of_operator(std::string_view function) {
  for (const std::string_view name : {std::string_view("operator new"), std::string_view("operator delete")}) {
    if (!function.starts_with(name)) continue;
    const std::string_view rest = function.substr(name.size());
    if (rest.starts_with("[]")) return Family::array_new;
    if (rest.empty() || rest.starts_with("(")) return Family::scalar_new;
  }
  return Family::none;
}

Family MismatchJudge::family(StackId stack, uint16_t tag) {
  const auto [found, is_new] = families_.try_emplace({stack, tag}, Family::none);
  if (!is_new) return found->second;
  // The innermost recorded frame, without what the compiler inlined into it: the function itself comes last.
  const std::vector<Frame> frames = source_.frames(stack, 1);
  const Family by_name = frames.empty() ? Family::none : family_of_operator(frames.back().function);
  return found->second = by_name != Family::none ? by_name : trace_.domains.tag(tag).family;
}

bool MismatchJudge::is_mismatch(StackId alloc_stack, uint16_t alloc_tag, StackId free_stack, uint16_t free_tag) {
  return are_mismatched(family(alloc_stack, alloc_tag), family(free_stack, free_tag));
}

ConfirmedMismatches confirm_mismatches(const Analysis& analysis, FrameSource& source) {
  MismatchJudge judge(analysis.trace, source);
  ConfirmedMismatches confirmed;
  for (const MismatchGroup& group : analysis.pairing.findings().mismatches()) {
    if (!judge.is_mismatch(group.alloc_stack, group.alloc_tag, group.free_stack, group.free_tag)) continue;
    confirmed.count += group.count;
    confirmed.groups.push_back(group);
  }
  confirmed.count += analysis.pairing.findings().ungrouped_mismatches();
  return confirmed;
}

}  // namespace memprof
