#include "model/sites.h"

namespace memprof {

void Sites::add_site(StackId stack, uint16_t tag) {
  Site site;
  site.stack = stack;
  site.tag = tag;
  // It was not there at earlier maxima: zero bytes, already settled.
  site.settled_epoch = peak_epoch_;
  sites_.push_back(site);
}

void Sites::settle() {
  for (Site& site : sites_) put_peak_aside(site);
}

}  // namespace memprof
