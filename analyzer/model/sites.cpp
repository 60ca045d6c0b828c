#include "model/sites.h"

namespace memprof {

void Sites::add_site(StackId stack) {
  Site site;
  site.stack = stack;
  // It was not there at earlier maxima: zero bytes, already settled.
  site.settled_epoch = peak_epoch_;
  sites_.push_back(site);
}

void Sites::settle(const SiteDirectory& directory) {
  for (SiteIndex index = 0; index < sites_.size(); ++index) {
    Site& site = sites_[index];
    put_peak_aside(site);
    site.tag = directory[index].tag;
    site.has_other_tags = directory[index].has_other_tags;
  }
}

}  // namespace memprof
