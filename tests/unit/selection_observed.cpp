#include "selection_observed.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

#include "model/kept_events.h"

namespace memprof::test {

namespace {

class Calls : public ChunkVisitor {
 public:
  Calls(const Trace& trace, std::vector<BlockCall>& calls) : trace_(trace), calls_(calls) {}

  void begin(const std::vector<Thread>& threads) override { threads_ = threads; }
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override {
    BlockCall call = call_of(Fate::closed, domain, address, chunk, stack);
    call.end_ticks = release.event.ticks;
    call.end_number = release.number;
    call.end_thread = threads_.at(release.thread).serial;
    call.end_tag = release.event.tag;
    call.is_temporary = release.is_temporary;
    call.is_mismatched = release.is_mismatched;
    calls_.push_back(call);
  }
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) override {
    BlockCall call = call_of(Fate::open, domain, address, chunk, stack);
    call.is_displaced = is_displaced;
    calls_.push_back(call);
  }
  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override {
    BlockCall call{};
    call.fate = Fate::orphaned;
    call.domain = trace_.domains.all()[domain].name;
    call.address = release.event.address;
    call.end_ticks = release.event.ticks;
    call.end_number = release.number;
    call.end_thread = threads_.at(release.thread).serial;
    call.end_tag = release.event.tag;
    call.orphan_kind = static_cast<int>(kind);
    calls_.push_back(call);
  }

  const std::vector<Thread>& threads() const { return threads_; }

 private:
  BlockCall call_of(Fate fate, uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack) const {
    BlockCall call{};
    call.fate = fate;
    call.domain = trace_.domains.all()[domain].name;
    call.address = address;
    call.size = chunk.size;
    call.alloc_ticks = chunk.alloc_ticks;
    call.alloc_number = chunk.number;
    call.thread = threads_.at(chunk.thread).serial;
    call.stack = stack;
    call.tag = chunk.tag;
    return call;
  }

  const Trace& trace_;
  std::vector<BlockCall>& calls_;
  std::vector<Thread> threads_;
};

class Changes : public SumObserver {
 public:
  Changes(const Trace& trace, const Calls& calls, std::vector<Change>& changes)
      : trace_(trace), calls_(calls), changes_(changes) {}

  void changed(const SumChange& change) override {
    using Kind = SumChange::Kind;
    is_in_order = is_in_order && change.ticks >= latest_;
    latest_ = change.ticks;
    const uint64_t ticks = change.kind == Kind::allocated ? change.alloc_ticks : change.ticks;
    changes_.push_back({trace_.domains.all()[change.domain].name, letter(change.kind),
                        calls_.threads().at(change.thread).serial, change.stack, ticks, change.bytes,
                        change.kind != Kind::shrunk});
  }

  bool is_in_order = true;

 private:
  static char letter(SumChange::Kind kind) {
    switch (kind) {
      case SumChange::Kind::allocated: return 'a';
      case SumChange::Kind::closed:
      case SumChange::Kind::shrunk: return '-';
      case SumChange::Kind::reopened: return 'r';
      case SumChange::Kind::carried: return 'o';
    }
    return '?';
  }

  const Trace& trace_;
  const Calls& calls_;
  std::vector<Change>& changes_;
  uint64_t latest_ = 0;
};

DomainSums sums_of(const Account& account) {
  DomainSums sums;
  sums.allocations = account.allocations;
  sums.bytes = account.bytes_allocated;
  sums.frees = account.frees();
  sums.closed = account.closed_chunks();
  sums.closed_bytes = account.closed_bytes();
  sums.temporary = account.temporary;
  sums.mismatched = account.mismatched_frees;
  for (int kind = 0; kind < 3; ++kind) sums.orphaned[kind] = account.orphaned[kind];
  sums.filtered = account.filtered_frees;
  sums.doubles = account.double_allocations;
  sums.carried = account.carried_chunks();
  sums.carried_bytes = account.carried_bytes();
  sums.open = account.open_chunks();
  sums.open_bytes = account.open_bytes();
  sums.peak = account.sites.peak_bytes();
  sums.peak_blocks = account.sites.peak_chunks();
  sums.peak_ticks = account.sites.peak_ticks();
  for (const Site& site : account.sites.all())
    sums.sites.emplace_back(
        site.stack, SiteSums{site.allocations, site.bytes_allocated, site.open_chunks, site.open_bytes, site.peak_bytes,
                             site.peak_ticks, site.at_peak_bytes, site.at_peak_chunks, site.temporary,
                             site.carried_chunks, site.carried_bytes, site.tag, site.has_other_tags});
  return sums;
}

std::map<uint64_t, bool> kept_of(const Trace& trace, uint64_t count) {
  const KeptEvents kept = kept_events(trace);
  std::map<uint64_t, bool> numbers;
  for (uint64_t number = 0; number < count + 100; ++number)
    if (kept[number] != KeptEvents::Part::nothing) numbers[number] = kept[number] == KeptEvents::Part::whole;
  return numbers;
}

void compare(const DomainSums& got, const DomainSums& want) {
  CHECK(got.allocations == want.allocations);
  CHECK(got.bytes == want.bytes);
  CHECK(got.frees == want.frees);
  CHECK(got.closed == want.closed);
  CHECK(got.closed_bytes == want.closed_bytes);
  CHECK(got.temporary == want.temporary);
  CHECK(got.mismatched == want.mismatched);
  for (int kind = 0; kind < 3; ++kind) CHECK(got.orphaned[kind] == want.orphaned[kind]);
  CHECK(got.filtered == want.filtered);
  CHECK(got.doubles == want.doubles);
  CHECK(got.carried == want.carried);
  CHECK(got.carried_bytes == want.carried_bytes);
  CHECK(got.open == want.open);
  CHECK(got.open_bytes == want.open_bytes);
  CHECK(got.peak == want.peak);
  CHECK(got.peak_blocks == want.peak_blocks);
  CHECK(got.peak_ticks == want.peak_ticks);
  REQUIRE(got.sites.size() == want.sites.size());
  for (size_t i = 0; i < got.sites.size(); ++i) {
    const auto& [stack, site] = got.sites[i];
    CAPTURE(i, stack);
    CHECK(stack == want.sites[i].first);
    const SiteSums& other = want.sites[i].second;
    CHECK(site.allocations == other.allocations);
    CHECK(site.bytes == other.bytes);
    CHECK(site.open == other.open);
    CHECK(site.open_bytes == other.open_bytes);
    CHECK(site.peak == other.peak);
    CHECK(site.peak_ticks == other.peak_ticks);
    CHECK(site.at_peak == other.at_peak);
    CHECK(site.at_peak_blocks == other.at_peak_blocks);
    CHECK(site.temporary == other.temporary);
    CHECK(site.carried == other.carried);
    CHECK(site.carried_bytes == other.carried_bytes);
    CHECK(site.tag == other.tag);
    CHECK(site.has_other_tags == other.has_other_tags);
  }
  REQUIRE((got == want));
}

std::string text_of(const BlockCall& call) {
  return fmt::format(
      "fate {} {} {:#x} size {} alloc {} #{} thread {} stack {} tag {} displaced {} end {} #{} thread {} tag {} "
      "temporary {} mismatched {} orphan {}",
      static_cast<int>(call.fate), call.domain, call.address, call.size, call.alloc_ticks, call.alloc_number,
      call.thread, call.stack, call.tag, call.is_displaced, call.end_ticks, call.end_number, call.end_thread,
      call.end_tag, call.is_temporary, call.is_mismatched, call.orphan_kind);
}

std::string text_of(const Change& change) {
  return fmt::format("{} {} thread {} stack {} ticks {} bytes {} blocks {}", change.domain, change.kind, change.thread,
                     change.stack, change.ticks, change.bytes, change.blocks);
}

template <class T>
void compare_lists(const std::vector<T>& got, const std::vector<T>& want) {
  for (size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    if (got[i] == want[i]) continue;
    INFO("got  " << text_of(got[i]));
    INFO("want " << text_of(want[i]));
    REQUIRE((got[i] == want[i]));
  }
  REQUIRE(got.size() == want.size());
}

// What one unmapping takes may be told in parts.
std::vector<Change> folded(const std::vector<Change>& changes) {
  std::vector<Change> all;
  for (const Change& change : changes) {  // sorted
    if (!all.empty() && change.kind == '-' && all.back().kind == '-' && all.back().ticks == change.ticks &&
        all.back().domain == change.domain && all.back().thread == change.thread && all.back().stack == change.stack) {
      all.back().bytes += change.bytes;
      all.back().blocks += change.blocks;
    } else {
      all.push_back(change);
    }
  }
  return all;
}

}  // namespace

Selection selection_of(const Question& question) {
  Selection selection;
  selection.from_ns = question.from_ns;
  selection.to_ns = question.to_ns;
  if (question.threads)
    selection.thread = [&question](const Thread& t) { return question.threads->contains(t.serial); };
  if (question.tags) selection.tag = [&question](uint16_t tag) { return question.tags->contains(tag); };
  if (question.stacks) selection.stack = [&question](StackId stack) { return question.stacks->contains(stack); };
  selection.least_size = question.least_size;
  selection.most_size = question.most_size;
  selection.least_lifetime_ns = question.least_lifetime_ns;
  selection.most_lifetime_ns = question.most_lifetime_ns;
  selection.temporary = question.temporary;
  if (question.state)
    selection.state = *question.state == Fate::open     ? BlockState::open
                      : *question.state == Fate::closed ? BlockState::closed
                                                        : BlockState::orphaned;
  selection.alive_at_ns = question.alive_at_ns;
  return selection;
}

GroupedSites::GroupedSites(Trace& trace, const SelectionHistory& history, Question& question) : trace_(trace) {
  if (question.by == SiteBy::stack) return;
  question.first_group = trace.nodes.add_groups(size_t{UINT16_MAX} + 1);
  if (question.by == SiteBy::group) {
    std::vector<StackId> group_of(question.first_group);
    for (StackId id = 0; id < question.first_group; ++id) {
      const auto known = history.canonical_stacks.find(id);
      group_of[id] = known == history.canonical_stacks.end() ? id : question.site_of(known->second, 0, 0);
    }
    trace.nodes.group_stacks(group_of);
    return;
  }
  trace.site_keys.by = question.by == SiteBy::thread ? SiteKeys::By::thread : SiteKeys::By::tag;
  trace.site_keys.first_group = question.first_group;
  static const std::vector<uint32_t> kEachTag = [] {
    std::vector<uint32_t> groups(size_t{UINT16_MAX} + 1);
    std::iota(groups.begin(), groups.end(), 0);
    return groups;
  }();
  trace.site_keys.group_of_tag = &kEachTag;
}

GroupedSites::~GroupedSites() {
  trace_.site_keys = {};
  trace_.nodes.ungroup_stacks();
}

Observed observe(Trace& trace, const Question& question, unsigned threads) {
  trace.selection = selection_of(question);
  trace.threads = threads;
  Observed observed;
  Calls calls(trace, observed.calls_in_order);
  Changes changes(trace, calls, observed.changes_in_order);
  const Analysis analysis = analyse(trace, &calls, nullptr, &changes);
  CHECK(changes.is_in_order);
  const auto& domains = trace.domains.all();
  for (uint16_t i = 0; i < domains.size(); ++i) {
    const Account* account = analysis.pairing.account(i);
    if (account) observed.answer.domains[domains[i].name] = sums_of(*account);
  }
  observed.answer.events = analysis.pairing.event_count();
  observed.answer.end_ns = analysis.end_ns();
  observed.answer.calls = observed.calls_in_order;
  std::sort(observed.answer.calls.begin(), observed.answer.calls.end());
  observed.answer.changes = observed.changes_in_order;
  std::sort(observed.answer.changes.begin(), observed.answer.changes.end());
  return observed;
}

void compare(const Observed& observed, const Answer& want) {
  const Answer& got = observed.answer;
  CHECK(got.events == want.events);
  CHECK(got.end_ns == want.end_ns);
  compare_lists(got.calls, want.calls);
  for (const auto& [name, sums] : got.domains) {  // also one of whose blocks none was chosen
    CAPTURE(name);
    const auto found = want.domains.find(name);
    compare(sums, found == want.domains.end() ? DomainSums{} : found->second);
  }
  for (const auto& [name, sums] : want.domains) REQUIRE(got.domains.contains(name));
  compare_lists(folded(got.changes), folded(want.changes));
}

// Asks with several numbers of threads, compares all answers.
void ask(Trace& trace, const SelectionHistory& history, Question question) {
  CAPTURE(question.text());
  const GroupedSites grouped(trace, history, question);
  const Answer want = answer(history, question);
  const Observed first = observe(trace, question, 1);
  compare(first, want);
  CHECK((kept_of(trace, history.steps.size()) == want.kept));
  // Starting threads costs more than a small trace does: one of the two numbers for each question.
  const bool is_small = history.steps.size() < 10'000;
  for (const unsigned threads : {2u, 8u}) {
    if (is_small && (threads == 2) != ((question.from_ns ^ history.plan.seed) % 2 == 0)) continue;
    CAPTURE(threads);
    const Observed other = observe(trace, question, threads);
    REQUIRE((other.answer.domains == first.answer.domains));
    REQUIRE((other.calls_in_order == first.calls_in_order));
    REQUIRE((other.changes_in_order == first.changes_in_order));
    REQUIRE(other.answer.events == first.answer.events);
    REQUIRE(other.answer.end_ns == first.answer.end_ns);
  }
}

}  // namespace memprof::test
