#include "model/site_directory.h"

namespace memprof {

SiteDirectory::SiteDirectory(const StackNodes& nodes, bool dense) : nodes_(&nodes) {
  if (dense) by_key_.resize(nodes.id_limit(), kNone);
}

SiteIndex SiteDirectory::find_or_add(StackId key) {
  const auto next = static_cast<SiteIndex>(by_canonical_.size());
  const SiteIndex site = by_canonical_.emplace(nodes_->canonical(key), next).first->second;
  if (key < by_key_.size()) by_key_[key] = site;
  return site;
}

}  // namespace memprof
