#include "model/site_directory.h"

namespace memprof {

SiteDirectory::SiteDirectory(const StackNodes& nodes, bool dense, bool is_grouped)
    : nodes_(&nodes), is_grouped_(is_grouped) {
  if (dense) by_stack_.resize(nodes.id_limit(), kNone);
}

SiteIndex SiteDirectory::find_or_add(StackId stack, uint16_t tag) {
  const StackId canonical = is_grouped_ ? nodes_->canonical(stack) : nodes_->canonical_stack(stack);
  const auto [found, is_new] = by_canonical_.emplace(canonical, static_cast<SiteIndex>(entries_.size()));
  if (is_new) entries_.push_back({canonical, tag, false});
  if (stack < by_stack_.size()) by_stack_[stack] = found->second;
  return found->second;
}

}  // namespace memprof
