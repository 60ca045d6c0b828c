#include "synthetic/call_sites.h"

#include <cmath>
#include <string>
#include <utility>

namespace memprof::synthetic {

namespace {

constexpr uint32_t kNoCaller = UINT32_MAX;
constexpr uint64_t kModuleBytes = 1u << 28;
constexpr size_t kLibraries = 7;  // besides the program, which the sites are in

Life pick_life(Random& random) {
  const uint64_t chance = random.below(100);
  return chance < 82 ? Life::scoped : chance < 90 ? Life::queued : chance < 94 ? Life::passed : Life::kept;
}

uint32_t between(uint32_t least, uint32_t most, Random& random) {
  return least + static_cast<uint32_t>(random.below(most - least + 1));
}

// Half of all blocks have at most 64 bytes; one of a hundred is large. Long-lived ones are small.
uint32_t pick_size(Life life, Random& random) {
  const uint64_t chance = random.below(100);
  if (life == Life::kept) return between(2, chance < 70 ? 8 : 32, random) * 8;
  if (chance < 50) return between(2, 8, random) * 8;
  if (chance < 80) return between(65, 256, random);
  if (chance < 94) return between(32, 128, random) * 8;
  if (chance < 99) return between(1024, 8192, random);
  return 8192u << random.below(7);
}

}  // namespace

CallSites::CallSites(size_t count, Random& random, TracePages& trace) : trace_(trace) {
  for (size_t i = 0; i <= kLibraries; ++i) {
    const uint64_t start = i == 0 ? 0x5555'4000'0000 : 0x7fff'0000'0000 + i * kModuleBytes;
    const std::string path = i == 0 ? "/synthetic/program" : "/synthetic/lib" + std::to_string(i) + ".so";
    modules_.push_back(trace_.add_module(path, start, start + kModuleBytes));
  }
  functions_.push_back({kNoCaller});
  for (size_t i = 1; i < count / 4 + 2; ++i) functions_.push_back({static_cast<uint32_t>(random.below(i))});
  while (sites_.size() < count) make_body(random);
  log_bodies_ = std::log(static_cast<double>(bodies_.size()));
}

uint32_t CallSites::make_site(uint32_t caller, bool is_cxx, bool grows, Random& random) {
  Site site{};
  site.caller = caller;
  site.life = grows ? Life::scoped : pick_life(random);
  site.size = pick_size(site.life, random);
  site.size_varies = random.percent(25);
  const bool is_usual = random.percent(85);
  if (grows)
    site.function = format::Function::realloc;
  else if (is_cxx)
    site.function = is_usual ? format::Function::operator_new : format::Function::operator_new_array;
  else
    site.function = is_usual ? format::Function::malloc : format::Function::calloc;
  sites_.push_back(site);
  return static_cast<uint32_t>(sites_.size() - 1);
}

// Blocks of the function's own are freed last in, first out, most of them.
void CallSites::make_body(Random& random) {
  using Kind = Operation::Kind;
  const auto caller = static_cast<uint32_t>(random.below(functions_.size()));
  const bool is_cxx = random.percent(30);
  const auto begin = static_cast<uint32_t>(operations_.size());
  std::vector<uint8_t> held;
  uint8_t slots = 0;
  const uint64_t allocations = 3 + random.below(kSlots - 5);
  while (slots < allocations || !held.empty()) {
    if (slots < allocations && (held.empty() || random.percent(55))) {
      const uint32_t site = make_site(caller, is_cxx, false, random);
      // The first is never left out: a call does something.
      operations_.push_back({Kind::allocate, slots, slots > 0 && random.percent(10), site});
      if (sites_[site].life == Life::scoped) held.push_back(slots);
      ++slots;
    } else if (!is_cxx && random.percent(8)) {
      operations_.push_back({Kind::grow, held.back(), false, make_site(caller, false, true, random)});
    } else {
      if (random.percent(20)) std::swap(held.back(), held[random.below(held.size())]);
      operations_.push_back({Kind::free, held.back()});
      held.pop_back();
    }
  }
  bodies_.push_back({begin, static_cast<uint32_t>(operations_.size())});
}

CallSites::Body CallSites::pick(Random& random) const {
  const auto rank = static_cast<size_t>(std::exp(random.unit() * log_bodies_)) - 1;
  return bodies_[rank < bodies_.size() ? rank : bodies_.size() - 1];
}

uint32_t CallSites::node_of(uint32_t index, size_t thread, uint64_t ticks) {
  std::vector<uint32_t> missing;
  for (uint32_t i = index; i != kNoCaller && functions_[i].node == 0; i = functions_[i].caller) missing.push_back(i);
  for (; !missing.empty(); missing.pop_back()) {
    Function& function = functions_[missing.back()];
    const uint32_t parent = function.caller == kNoCaller ? format::kRootWhole : functions_[function.caller].node;
    const uint64_t place = missing.back();
    function.node =
        trace_.add_node(thread, ticks, parent, modules_[1 + place % kLibraries], 0x1005 + place / kLibraries * 0x100);
  }
  return functions_[index].node;
}

uint32_t CallSites::stack_of(uint32_t index, size_t thread, uint64_t ticks) {
  Site& site = sites_[index];
  if (site.stack == 0) {
    const uint32_t caller = node_of(site.caller, thread, ticks);
    site.stack = trace_.add_node(thread, ticks, caller, modules_[0], 0x1005 + uint64_t{index} * 16);
    ++stacks_used_;
  }
  return site.stack;
}

}  // namespace memprof::synthetic
