#include "model/sites.h"

namespace memprof {

Sites::Sites(const StackNodes& nodes, bool dense) : nodes_(nodes) {
  if (dense) by_stack_.resize(nodes.id_limit(), kNone);
}

SiteIndex Sites::find_or_add(StackId stack, uint16_t tag) {
  const StackId canonical = nodes_.canonical(stack);
  const auto [found, is_new] = by_canonical_.emplace(canonical, static_cast<SiteIndex>(sites_.size()));
  if (is_new) {
    Site site;
    site.stack = canonical;
    site.tag = tag;
    // It was not there at earlier maxima: zero bytes, already settled.
    site.settled_epoch = peak_epoch_;
    sites_.push_back(site);
  }
  if (stack < by_stack_.size()) by_stack_[stack] = found->second;
  return found->second;
}

}  // namespace memprof
