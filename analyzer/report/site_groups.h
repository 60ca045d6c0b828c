// Sites that are more than one stack: all stacks of a function, a file, a module; all blocks of a thread or a tag. And
// sites that are less: a stack's or a thread's blocks of one group.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/analysis.h"
#include "report/block_groups.h"

namespace memprof {

class SiteGroups {
 public:
  // The sites of every analysis of `trace` are the groups, as long as this lives.
  SiteGroups(Trace& trace, GroupBy by, const SymbolOptions& symbols);
  ~SiteGroups();
  SiteGroups(const SiteGroups&) = delete;
  SiteGroups& operator=(const SiteGroups&) = delete;

  using Name = BlockGroups::Name;
  GroupBy by() const { return groups_.by(); }
  // Of a site of such an analysis; raw bytes.
  Name name(const Analysis& analysis, StackId site) const { return groups_.name(site - first_, analysis.threads); }
  // Of groups by type: the blocks that have none and whose stacks name none.
  StackId untyped() const { return first_ + BlockGroups::kUntyped; }
  // Of groups by thread: the index of the thread.
  size_t thread_of(StackId site) const { return site - first_; }
  std::vector<std::string> symbol_problems() const { return groups_.symbol_problems(); }

 private:
  Trace& trace_;
  const BlockGroups groups_;
  const StackId first_;
};

class PairedSites {
 public:
  enum class With { stack, thread };

  // The sites of every analysis of `trace` are pairs of a group and a stack or a thread, as long as this lives. Reads
  // the events once, to find the pairs that there are.
  PairedSites(Trace& trace, const BlockGroups& groups, With with, ProgressSink* progress);
  ~PairedSites();
  PairedSites(const PairedSites&) = delete;
  PairedSites& operator=(const PairedSites&) = delete;

  struct Pair {
    uint32_t group;
    uint32_t other;  // canonical stack, or index of a thread
  };
  // Of a site of such an analysis.
  Pair pair_of(StackId site) const { return all_.at(site - pairs_.first); }

 private:
  Trace& trace_;
  SitePairs pairs_;
  std::vector<Pair> all_;
};

}  // namespace memprof
