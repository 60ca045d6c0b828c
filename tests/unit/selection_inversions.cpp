// Stamps of different threads inverted by less than the format allows: the test knows which free ended which block, and
// a selection must find the same.
#include <catch2/catch.hpp>

#include <algorithm>

#include "selection_observed.h"

using namespace memprof;
using namespace memprof::test;

namespace {

constexpr uint64_t kApart = 25'000;

// A use of an address, as it truly was.
struct Use {
  Step born, ended;
  bool has_end = false;
};

// In rounds with long pauses between them. Within a round each address may be handed from thread to thread once, the
// stamps of the two the wrong way round; before and after that nothing happens to it for long.
struct Inverted {
  explicit Inverted(uint64_t seed) : random(seed) {
    for (uint32_t i = 0; i < 6; ++i) stacks.push_back(builder.stack(0x100 + i * 16));
    std::map<uint64_t, size_t> live;  // address to use
    for (int round = 0; round < 60; ++round) {
      pauses.push_back(time + kApart);
      time += 2 * kApart;
      for (uint64_t slot = 0; slot < 12; ++slot) {
        const uint64_t address = 0x1000 + slot * 16, first = time + pick(300), second = first + 1 + pick(900);
        const uint32_t here = 1 + static_cast<uint32_t>(pick(kThreads));
        const uint32_t there = 1 + (here + static_cast<uint32_t>(pick(kThreads - 1))) % kThreads;
        const auto held = live.find(address);
        if (held == live.end()) {
          if (pick(3) == 0) continue;
          // Allocated here, and perhaps freed there before that was stamped.
          const bool is_freed = pick(2) == 0;
          bear(address, here, second);
          if (is_freed)
            end(uses.size() - 1, there, first);
          else
            live[address] = uses.size() - 1;
        } else if (pick(3) != 0) {
          end(held->second, here, second);
          if (pick(2) == 0) {
            // Given out again there, stamped before the free.
            bear(address, there, first);
            held->second = uses.size() - 1;
          } else {
            live.erase(held);
          }
        }
      }
      time += 2000;
    }
    pauses.push_back(time + kApart);
    write();
  }

  static constexpr uint32_t kThreads = 4;
  std::mt19937_64 random;
  TraceBuilder builder;
  std::vector<uint32_t> stacks;
  std::vector<Use> uses;
  std::vector<uint64_t> pauses;  // times in the middle of them
  std::vector<Step> steps;       // by their stamps
  uint64_t time = 0;

 private:
  uint64_t pick(uint64_t below) { return random() % below; }

  // One stamp a nanosecond: which of two events at one time comes first is another test's matter.
  uint64_t stamp(uint64_t wanted) {
    while (!taken_.insert(wanted).second) ++wanted;
    return TraceBuilder::kStart + wanted;
  }
  void bear(uint64_t address, uint32_t thread, uint64_t at) {
    Step step{.ticks = stamp(at),
              .stream = thread,
              .is_allocation = true,
              .address = address,
              .size = pick(500),
              .stack = stacks[pick(stacks.size())],
              .tag = pick(2) == 0 ? uint16_t{1} : uint16_t{10}};
    uses.push_back({step, {}, false});
  }
  void end(size_t use, uint32_t thread, uint64_t at) {
    uses[use].ended = {.ticks = stamp(at), .stream = thread, .address = uses[use].born.address, .tag = 12};
    uses[use].has_end = true;
  }
  void write() {
    for (const Use& use : uses) {
      steps.push_back(use.born);
      if (use.has_end) steps.push_back(use.ended);
    }
    std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.ticks < b.ticks; });
    for (const Step& step : steps) {
      const uint64_t at = step.ticks - TraceBuilder::kStart;
      if (step.is_allocation)
        builder.alloc_tagged(step.stream, at, step.address, step.size, step.stack, step.tag);
      else
        builder.free(step.stream, at, step.address);
    }
    builder.close(time + kApart * 2);
  }

  std::set<uint64_t> taken_;
};

uint64_t number_of(const Inverted& history, const Step& step) {
  const auto found = std::lower_bound(history.steps.begin(), history.steps.end(), step,
                                      [](const Step& a, const Step& b) { return a.ticks < b.ticks; });
  return static_cast<uint64_t>(found - history.steps.begin());
}

bool follows_in_thread(const Inverted& history, const Step& born, const Step& ended) {
  const Step* before = nullptr;
  for (const Step& step : history.steps) {
    if (step.ticks == ended.ticks) break;
    if (step.stream == ended.stream) before = &step;
  }
  return before && before->ticks == born.ticks;
}

struct Sums {
  uint64_t allocations = 0, bytes = 0, carried = 0, carried_bytes = 0, open = 0, open_bytes = 0, temporary = 0;
  auto operator<=>(const Sums&) const = default;
};

}  // namespace

TEST_CASE("blocks that pass through inverted stamps are paired as they were, whole and in windows", "[selection]") {
  for (uint64_t seed = 700; seed < 706; ++seed) {
    CAPTURE(seed);
    Inverted history(seed);
    Trace trace(open_bytes(history.builder.build()));
    for (int i = 0; i < 8; ++i) {
      Question question;
      if (i > 0) question.from_ns = history.pauses[history.random() % history.pauses.size()];
      if (i > 1) question.to_ns = std::max(question.from_ns, history.pauses[history.random() % history.pauses.size()]);
      if (i > 4) question.tags = std::set<uint16_t>{10};
      CAPTURE(question.text());
      Sums want;
      std::map<uint32_t, Sums> want_sites;
      std::vector<BlockCall> calls;
      for (const Use& use : history.uses) {
        const auto is_before = [](const Step& step, uint64_t ns) { return step.ticks - TraceBuilder::kStart < ns; };
        if (!is_before(use.born, question.to_ns)) continue;
        if (use.has_end && is_before(use.ended, question.from_ns)) continue;
        if (question.tags && !question.tags->contains(use.born.tag)) continue;
        const bool is_closed = use.has_end && is_before(use.ended, question.to_ns);
        BlockCall call{};
        call.fate = is_closed ? Fate::closed : Fate::open;
        call.domain = "cpu";
        call.address = use.born.address;
        call.size = use.born.size;
        call.alloc_ticks = use.born.ticks;
        call.alloc_number = number_of(history, use.born);
        call.thread = use.born.thread();
        call.stack = use.born.stack;
        call.tag = use.born.tag;
        if (is_closed) {
          call.end_ticks = use.ended.ticks;
          call.end_number = number_of(history, use.ended);
          call.end_thread = use.ended.thread();
          call.end_tag = use.ended.tag;
          call.is_temporary = follows_in_thread(history, use.born, use.ended);
          call.is_mismatched = use.born.tag == 10;
        }
        calls.push_back(call);
        for (Sums* sums : {&want, &want_sites[call.stack]}) {
          const bool is_carried = is_before(use.born, question.from_ns);
          (is_carried ? sums->carried : sums->allocations) += 1;
          (is_carried ? sums->carried_bytes : sums->bytes) += call.size;
          sums->open += !is_closed;
          sums->open_bytes += is_closed ? 0 : call.size;
          sums->temporary += call.is_temporary;
        }
      }
      std::sort(calls.begin(), calls.end());
      std::vector<Change> changes;
      for (const unsigned threads : {1u, 2u, 8u}) {
        CAPTURE(threads);
        const Observed observed = observe(trace, question, threads);
        CHECK((observed.answer.calls == calls));
        const DomainSums& sums = observed.answer.domains.at("cpu");
        CHECK((Sums{sums.allocations, sums.bytes, sums.carried, sums.carried_bytes, sums.open, sums.open_bytes,
                    sums.temporary} == want));
        CHECK(sums.closed == sums.carried + sums.allocations - sums.open);
        CHECK(sums.frees == sums.closed);
        CHECK(sums.doubles == 0);
        for (const auto& [stack, site] : sums.sites)
          CHECK((Sums{site.allocations, site.bytes, site.carried, site.carried_bytes, site.open, site.open_bytes,
                      site.temporary} == want_sites[stack]));
        CHECK(sums.sites.size() == want_sites.size());
        if (threads == 1) changes = observed.changes_in_order;
        CHECK((observed.changes_in_order == changes));
      }
    }
  }
}
