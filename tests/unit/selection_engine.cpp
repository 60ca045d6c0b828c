// What an analysis says under a selection against the slow account of selection_oracle.h: every number, every call of
// a visitor, every change of the sums, with 1, 2 and 8 threads.
#include <catch2/catch.hpp>

#include <algorithm>

#include "model/kept_events.h"
#include "selection_oracle.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

// An answer of the analyzer in the words of the oracle, and what of it has an order.
struct Observed {
  Answer answer;
  std::vector<BlockCall> calls_in_order;
  std::vector<Change> changes_in_order;
};

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

// `question` outlives the trace's use.
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

std::set<uint64_t> kept_of(const Trace& trace, uint64_t count) {
  const KeptEvents kept = kept_events(trace);
  std::set<uint64_t> numbers;
  for (uint64_t number = 0; number < count + 100; ++number)
    if (kept[number]) numbers.insert(number);
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
void ask(Trace& trace, const SelectionHistory& history, const Question& question) {
  CAPTURE(question.text());
  const Answer want = answer(history, question);
  const Observed first = observe(trace, question, 1);
  compare(first, want);
  CHECK((kept_of(trace, history.steps.size()) == want.kept));
  for (const unsigned threads : {2u, 8u}) {
    CAPTURE(threads);
    const Observed other = observe(trace, question, threads);
    REQUIRE((other.answer.domains == first.answer.domains));
    REQUIRE((other.calls_in_order == first.calls_in_order));
    REQUIRE((other.changes_in_order == first.changes_in_order));
    REQUIRE(other.answer.events == first.answer.events);
    REQUIRE(other.answer.end_ns == first.answer.end_ns);
  }
}

class Asker {
 public:
  Asker(const SelectionHistory& history, uint64_t seed) : history_(history), random_(seed) {}

  // A time at which something happens, or one beside it, or any.
  uint64_t time() {
    const uint64_t at = history_.ns(history_.steps[pick(history_.steps.size())].ticks);
    switch (pick(4)) {
      case 0: return at + 1;
      case 1: return at == 0 ? 0 : at - 1;
      case 2: return pick(history_.duration_ns() + 1);
      default: return at;
    }
  }

  void choose_window(Question& question) {
    switch (pick(8)) {
      case 0: return;
      case 1: question.from_ns = time(); return;
      case 2: question.to_ns = time(); return;
      case 3: question.from_ns = question.to_ns = time(); return;
      case 4: question.to_ns = history_.duration_ns() + pick(1000); return;
      case 5: question.from_ns = history_.duration_ns() + pick(1000); return;
      default: break;
    }
    const auto [from, to] = std::minmax({time(), time()});
    question.from_ns = from;
    question.to_ns = to;
  }

  static constexpr int kConditions = 9;
  void choose(Question& question, int condition) {
    const Step& step = history_.steps[pick(history_.steps.size())];
    switch (condition) {
      case 0: question.threads = {step.thread(), 1 + static_cast<uint32_t>(pick(history_.plan.threads))}; return;
      case 1: question.tags = {step.tag, history_.allocator_tags[pick(history_.allocator_tags.size())]}; return;
      case 2:
        question.stacks.emplace();
        for (const auto& [stack, canonical] : history_.canonical_stacks)
          if (pick(2) == 0) question.stacks->insert(canonical);
        return;
      case 3: question.least_size = step.size + pick(2); return;
      case 4: question.most_size = step.size + pick(100); return;
      case 5: question.least_lifetime_ns = lifetime(); return;
      case 6: question.most_lifetime_ns = lifetime() * 2; return;
      case 7: question.temporary = pick(2) == 0; return;
      case 8: question.alive_at_ns = time(); return;
      default: question.state = static_cast<Fate>(pick(3)); return;
    }
  }
  uint64_t pick(uint64_t below) { return random_() % below; }

 private:
  uint64_t lifetime() { return pick(4) == 0 ? pick(history_.duration_ns()) : pick(3000); }

  const SelectionHistory& history_;
  std::mt19937_64 random_;
};

HistoryPlan random_plan(uint64_t seed) {
  std::mt19937_64 random(seed);
  HistoryPlan plan;
  plan.seed = seed;
  plan.events = 200 + static_cast<int>(random() % 1500);
  plan.threads = random() % 3 == 0 ? 1 : 1 + static_cast<uint32_t>(random() % 12);
  plan.has_signal_streams = random() % 2;
  plan.is_dense = random() % 2;
  static constexpr uint32_t kFlags[] = {0, 0, format::kForkChild, format::kLateStart, format::kFiltered};
  plan.flags = kFlags[random() % 5];
  plan.has_contradictions = random() % 3 != 0;
  plan.is_closed = random() % 4 != 0;
  plan.ticks_per_ns = plan.is_closed && random() % 3 == 0 ? 4 : 1;
  return plan;
}

}  // namespace

TEST_CASE("the whole of a random trace agrees with a slow account", "[selection]") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    ask(trace, history, {});
  }
}

TEST_CASE("windows of random traces agree with a slow account", "[selection]") {
  for (uint64_t seed = 100; seed < 140; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 8; ++i) {
      Question question;
      asker.choose_window(question);
      ask(trace, history, question);
    }
  }
}

TEST_CASE("every condition alone agrees with a slow account, whole and in windows", "[selection]") {
  for (uint64_t seed = 200; seed < 220; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int condition = 0; condition <= Asker::kConditions; ++condition) {
      Question question;
      asker.choose(question, condition);
      ask(trace, history, question);
      asker.choose_window(question);
      ask(trace, history, question);
    }
  }
}

TEST_CASE("conditions together agree with a slow account", "[selection]") {
  for (uint64_t seed = 300; seed < 330; ++seed) {
    CAPTURE(seed);
    SelectionHistory history(random_plan(seed));
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 8; ++i) {
      Question question;
      asker.choose_window(question);
      for (int count = 2 + static_cast<int>(asker.pick(2)); count != 0; --count)
        asker.choose(question, static_cast<int>(asker.pick(Asker::kConditions + 1)));
      ask(trace, history, question);
    }
  }
}

TEST_CASE("a large trace agrees with a slow account where slices, batches and pages end", "[selection]") {
  for (uint64_t seed = 400; seed < 402; ++seed) {
    CAPTURE(seed);
    HistoryPlan plan = random_plan(seed);
    plan.events = 70'000;
    plan.threads = seed % 2 == 0 ? 3 : 12;
    plan.is_dense = true;
    SelectionHistory history(plan);
    REQUIRE(history.steps.size() > 60'000);
    Trace trace(open_bytes(history.builder.build()));
    Asker asker(history, seed);
    for (int i = 0; i < 4; ++i) {
      Question question;
      if (i > 0) asker.choose_window(question);
      if (i > 1) asker.choose(question, static_cast<int>(asker.pick(Asker::kConditions + 1)));
      ask(trace, history, question);
    }
  }
}
