#include "report/site_tallies.h"

namespace memprof {

SiteTallies::SiteTallies(const Trace& trace, const DomainSet& domains)
    : trace_(trace), domains_(domains), is_realloc_(size_t{UINT16_MAX} + 1) {
  for (size_t tag = 0; tag < is_realloc_.size(); ++tag) {
    if (!trace.domains.tag(static_cast<uint16_t>(tag)).is_known) continue;
    const std::string function = trace.domains.function_name(static_cast<uint16_t>(tag));
    is_realloc_[tag] = function == "realloc" || function == "reallocarray" || function == "rallocx" ||
                       function == "xallocx" || function.starts_with("mremap");
  }
}

void SiteTallies::begin(const std::vector<Thread>&) {}

void SiteTallies::returned(const Chunk& chunk, StackId site) {
  // A block that a window carried in was returned by a call before it.
  if (!is_realloc_[chunk.tag] || trace_.clock.ns_since_start(chunk.alloc_ticks) < trace_.selection.from_ns) return;
  SiteTally& tally = tallies_[site];
  for (SiteTally* t : {&tally, &all_}) {
    ++t->reallocs;
    t->bytes_returned += chunk.size;
  }
}

void SiteTallies::closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId site, const Release& release) {
  if (!domains_.has(domain)) return;
  returned(chunk, site);
  const uint64_t born = trace_.clock.ns_since_start(chunk.alloc_ticks);
  const uint64_t died = trace_.clock.ns_since_start(release.event.ticks);
  SiteTally& tally = tallies_[site];
  for (SiteTally* t : {&tally, &all_}) {
    ++t->freed;
    t->lifetime_ns += died > born ? died - born : 0;
  }
  if (!is_realloc_[release.event.tag] || release.event.stack == format::kNoStack) return;
  // The release half of a realloc carries the stack of the call.
  SiteTally& caller =
      tallies_[trace_.nodes.canonical(trace_.site_keys.of(release.event.stack, release.event.tag, release.thread))];
  caller.bytes_taken += chunk.size;
  all_.bytes_taken += chunk.size;
}

void SiteTallies::open(uint16_t domain, uint64_t, const Chunk& chunk, StackId site, bool) {
  if (domains_.has(domain)) returned(chunk, site);
}

void SiteTallies::orphaned(uint16_t, const Release&, OrphanKind) {}

const SiteTally& SiteTallies::of(StackId site) const {
  static const SiteTally kNothing;
  const auto found = tallies_.find(site);
  return found == tallies_.end() ? kNothing : found->second;
}

}  // namespace memprof
