#include "selection_questions.h"

#include <algorithm>

namespace memprof::test {

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

uint64_t Asker::time() {
  const uint64_t at = history_.ns(history_.steps[pick(history_.steps.size())].ticks);
  switch (pick(4)) {
    case 0: return at + 1;
    case 1: return at == 0 ? 0 : at - 1;
    case 2: return pick(history_.duration_ns() + 1);
    default: return at;
  }
}

void Asker::choose_window(Question& question) {
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

void Asker::choose(Question& question, int condition) {
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

uint64_t Asker::lifetime() { return pick(4) == 0 ? pick(history_.duration_ns()) : pick(3000); }

}  // namespace memprof::test
