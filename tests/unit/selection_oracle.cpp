#include "selection_oracle.h"

#include <algorithm>

#include "selection_blocks.h"

namespace memprof::test {

namespace {

bool is_mismatch(uint16_t allocator, uint16_t releaser) {
  const char a = about(allocator).family, r = about(releaser).family;
  return a != 0 && r != 0 && a != r;
}

class Replay {
 public:
  Replay(const SelectionHistory& history, const Question& question)
      : history_(history), question_(question), steps_(history.steps) {}

  Answer run() {
    size_t count = 0;
    while (count < steps_.size() && ns(count) < question_.to_ns) ++count;
    begin_ = 0;
    while (begin_ < count && ns(begin_) < question_.from_ns) ++begin_;
    answer_.end_ns = std::min(question_.to_ns, history_.duration_ns());
    for (size_t i = begin_; i < count; ++i) answer_.events += !steps_[i].continues;
    const BlockLives lives(steps_, count);
    std::vector<const Block*> chosen;
    for (const Block& block : lives.blocks)
      if (is_in_window(block) && is_chosen(block)) chosen.push_back(&block);
    for (const Block* block : chosen) tell(*block);
    for (const size_t i : lives.orphans)
      if (i >= begin_ && chooses_orphan(steps_[i])) add_orphan(i);
    sum(chosen, count);
    std::sort(answer_.calls.begin(), answer_.calls.end());
    answer_.played = answer_.changes;
    std::sort(answer_.changes.begin(), answer_.changes.end());
    return std::move(answer_);
  }

 private:
  uint64_t ns(size_t step) const { return history_.ns(steps_[step].ticks); }
  uint32_t stack_of(const Block& block) const { return history_.canonical_stacks.at(steps_[block.born].stack); }
  uint32_t site_of(const Block& block) const {
    const Step& born = steps_[block.born];
    return question_.site_of(stack_of(block), born.thread(), born.tag);
  }
  DomainSums& domain_of(const Block& block) { return answer_.domains[about(steps_[block.born].tag).domain]; }

  bool is_in_window(const Block& block) const { return block.ended == kNever || block.ended >= begin_; }

  bool is_chosen(const Block& block) const {
    const Step& born = steps_[block.born];
    const bool is_open = block.ended == kNever;
    if (question_.threads && !question_.threads->contains(born.thread())) return false;
    if (question_.tags && !question_.tags->contains(born.tag)) return false;
    if (question_.stacks && !question_.stacks->contains(stack_of(block))) return false;
    if (born.size < question_.least_size || born.size > question_.most_size) return false;
    const uint64_t born_ns = ns(block.born);
    const uint64_t until = is_open ? answer_.end_ns : ns(block.ended);
    const uint64_t lived = until > born_ns ? until - born_ns : 0;
    if (lived < question_.least_lifetime_ns || lived > question_.most_lifetime_ns) return false;
    if (question_.temporary && *question_.temporary != block.is_temporary) return false;
    if (question_.state && *question_.state != (is_open ? Fate::open : Fate::closed)) return false;
    if (!question_.alive_at_ns) return true;
    return born_ns <= *question_.alive_at_ns && (is_open || until > *question_.alive_at_ns);
  }

  bool chooses_orphan(const Step& release) const {
    const Question& q = question_;
    if (q.stacks || q.least_size != 0 || q.most_size != UINT64_MAX || q.least_lifetime_ns != 0 ||
        q.most_lifetime_ns != UINT64_MAX || q.temporary || q.alive_at_ns)
      return false;
    if (q.state && *q.state != Fate::orphaned) return false;
    return (!q.threads || q.threads->contains(release.thread())) && (!q.tags || q.tags->contains(release.tag));
  }

  void add_orphan(size_t i) {
    const Step& step = steps_[i];
    int kind = 2;
    if (history_.plan.flags & format::kLateStart) kind = 1;
    if (history_.plan.flags & format::kForkChild) kind = 0;
    if (history_.plan.flags & format::kFiltered) kind = 3;
    DomainSums& sums = answer_.domains[about(step.tag).domain];
    kind == 3 ? ++sums.filtered : ++sums.orphaned[kind];
    sums.frees += kind != 3;
    answer_.kept[i] = true;
    answer_.calls.push_back({Fate::orphaned, about(step.tag).domain, step.address, 0, 0, 0, 0, 0, 0, false, step.ticks,
                             i, step.thread(), step.tag, false, false, kind});
  }

  void tell(const Block& block) {
    const Step& born = steps_[block.born];
    BlockCall call{};
    call.fate = block.ended == kNever ? Fate::open : Fate::closed;
    call.domain = about(born.tag).domain;
    call.address = born.address;
    call.size = born.size;
    call.alloc_ticks = born.ticks;
    call.alloc_number = block.born;
    call.thread = born.thread();
    call.stack = site_of(block);
    call.tag = born.tag;
    call.is_displaced = block.displaced != kNever;
    answer_.kept[block.born] = true;
    for (const auto& [step, bytes] : block.cuts) answer_.kept[step] |= !steps_[step].is_allocation;
    DomainSums& sums = domain_of(block);
    if (block.displaced != kNever && block.displaced >= begin_) ++sums.doubles;
    if (block.ended != kNever) {
      const Step& end = steps_[block.ended];
      call.end_ticks = end.ticks;
      call.end_number = block.ended;
      call.end_thread = end.thread();
      call.end_tag = end.tag;
      call.is_temporary = block.is_temporary;
      call.is_mismatched = is_mismatch(born.tag, end.tag);
      ++sums.closed;
      ++sums.frees;
      sums.temporary += call.is_temporary;
      sums.mismatched += call.is_mismatched;
      sums.site(call.stack).temporary += call.is_temporary;
    }
    answer_.calls.push_back(call);
  }

  void sum(const std::vector<const Block*>& chosen, size_t count);

  const SelectionHistory& history_;
  const Question& question_;
  const std::vector<Step>& steps_;
  size_t begin_ = 0;
  Answer answer_;
};

void Replay::sum(const std::vector<const Block*>& chosen, size_t count) {
  // The sites that tell() met are in no order yet.
  std::map<std::string, std::map<uint32_t, SiteSums>> sites;
  for (auto& [name, sums] : answer_.domains) {
    for (const auto& [stack, site] : sums.sites) sites[name][stack] = site;
    sums.sites.clear();
  }
  const auto met = [&](const Block& block) -> SiteSums& {
    DomainSums& sums = domain_of(block);
    const uint32_t stack = site_of(block);
    const uint16_t tag = steps_[block.born].tag;
    for (auto& [known, site] : sums.sites) {
      if (known != stack) continue;
      site.has_other_tags |= site.tag != tag;
      return site;
    }
    sums.sites.emplace_back(stack, SiteSums{});
    sums.sites.back().second.tag = tag;
    sums.sites.back().second.temporary = sites[about(steps_[block.born].tag).domain][stack].temporary;
    return sums.sites.back().second;
  };
  const auto change = [&](const Block& block, char kind, uint64_t ticks, uint64_t bytes, uint64_t blocks) {
    const Step& born = steps_[block.born];
    answer_.changes.push_back({about(born.tag).domain, kind, born.thread(), site_of(block), ticks, bytes, blocks});
  };
  const auto look_for_peak = [&](DomainSums& sums, uint64_t ticks) {
    for (auto& [stack, site] : sums.sites) {
      if (site.open_bytes <= site.peak) continue;
      site.peak = site.open_bytes;
      site.peak_ticks = ticks;
    }
    if (sums.open_bytes <= sums.peak) return;
    sums.peak = sums.open_bytes;
    sums.peak_blocks = sums.open;
    sums.peak_ticks = ticks;
    for (auto& [stack, site] : sums.sites) {
      site.at_peak = site.open_bytes;
      site.at_peak_blocks = site.open;
    }
  };

  const uint64_t from_ticks =
      question_.from_ns == 0 ? 0 : TraceBuilder::kStart + question_.from_ns * history_.plan.ticks_per_ns;
  std::vector<const Block*> carried;
  for (const Block* block : chosen)
    if (block->born < begin_) carried.push_back(block);
  std::stable_sort(carried.begin(), carried.end(), [&](const Block* a, const Block* b) {
    return std::pair(site_of(*a), steps_[a->born].tag) < std::pair(site_of(*b), steps_[b->born].tag);
  });
  for (const Block* block : carried) {
    uint64_t bytes = steps_[block->born].size;
    for (const auto& [step, cut] : block->cuts)
      if (step < begin_) bytes -= cut;
    DomainSums& sums = domain_of(*block);
    SiteSums& site = met(*block);
    ++sums.carried;
    sums.carried_bytes += bytes;
    ++sums.open;
    sums.open_bytes += bytes;
    ++site.carried;
    site.carried_bytes += bytes;
    ++site.open;
    site.open_bytes += bytes;
    change(*block, 'o', from_ticks, bytes, 1);
  }
  for (auto& [name, sums] : answer_.domains) {
    look_for_peak(sums, from_ticks);
    if (sums.open == 0 || sums.peak != 0) continue;
    sums.peak_blocks = sums.open;  // of no bytes, and the highest moment all the same
    sums.peak_ticks = from_ticks;
    for (auto& [stack, site] : sums.sites) site.at_peak_blocks = site.open;
  }

  std::vector<std::vector<std::pair<const Block*, uint64_t>>> cuts(count);
  std::vector<const Block*> born(count, nullptr);
  for (const Block* block : chosen) {
    born[block->born] = block;
    for (const auto& cut : block->cuts)
      if (cut.first >= begin_) cuts[cut.first].emplace_back(block, cut.second);
  }
  for (size_t i = begin_; i < count; ++i) {
    const uint64_t ticks = steps_[i].ticks;
    for (const auto& [block, bytes] : cuts[i]) {
      DomainSums& sums = domain_of(*block);
      SiteSums& site = met(*block);
      const bool is_end = block->ended == i;
      sums.open -= is_end;
      sums.open_bytes -= bytes;
      sums.closed_bytes += bytes;
      site.open -= is_end;
      site.open_bytes -= bytes;
      change(*block, '-', ticks, bytes, is_end);
    }
    if (!born[i]) continue;
    const Block& block = *born[i];
    DomainSums& sums = domain_of(block);
    SiteSums& site = met(block);
    const uint64_t size = steps_[i].size;
    ++sums.allocations;
    sums.bytes += size;
    ++sums.open;
    sums.open_bytes += size;
    ++site.allocations;
    site.bytes += size;
    ++site.open;
    site.open_bytes += size;
    change(block, 'a', ticks, size, 1);
    look_for_peak(sums, ticks);
  }
}

}  // namespace

SiteSums& DomainSums::site(uint32_t stack) {
  for (auto& [known, sums] : sites)
    if (known == stack) return sums;
  sites.emplace_back(stack, SiteSums{});
  return sites.back().second;
}

uint32_t Question::site_of(uint32_t stack, uint32_t thread, uint16_t tag) const {
  switch (by) {
    case SiteBy::thread: return first_group + thread - 1;  // streams are numbered after their threads, from 1
    case SiteBy::tag: return first_group + tag;
    case SiteBy::group: return first_group + stack % 3;
    case SiteBy::stack: break;
  }
  return stack;
}

std::string Question::text() const {
  std::string text = "from " + std::to_string(from_ns);
  if (to_ns != UINT64_MAX) text += " to " + std::to_string(to_ns);
  if (threads) {
    text += " threads";
    for (const uint32_t thread : *threads) text += " " + std::to_string(thread);
  }
  if (tags) {
    text += " tags";
    for (const uint16_t tag : *tags) text += " " + std::to_string(tag);
  }
  if (stacks) text += " of " + std::to_string(stacks->size()) + " stacks";
  if (least_size != 0) text += " size >= " + std::to_string(least_size);
  if (most_size != UINT64_MAX) text += " size <= " + std::to_string(most_size);
  if (least_lifetime_ns != 0) text += " lifetime >= " + std::to_string(least_lifetime_ns);
  if (most_lifetime_ns != UINT64_MAX) text += " lifetime <= " + std::to_string(most_lifetime_ns);
  if (temporary) text += *temporary ? " temporary" : " not temporary";
  if (state) text += *state == Fate::open ? " open" : *state == Fate::closed ? " closed" : " orphaned";
  if (by != SiteBy::stack) text += " by " + std::to_string(static_cast<int>(by));
  if (alive_at_ns) text += " alive at " + std::to_string(*alive_at_ns);
  return text;
}

Answer answer(const SelectionHistory& history, const Question& question) { return Replay(history, question).run(); }

}  // namespace memprof::test
