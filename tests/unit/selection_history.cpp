#include "selection_history.h"

#include <algorithm>
#include <optional>

namespace memprof::test {

using format::Function;

namespace {

// Longer than any two stamps may be inverted.
constexpr uint64_t kApart = 25'000;
constexpr uint16_t kPoolDomain = 16, kPoolGet = 300, kPoolPut = 301;

uint16_t tag_of(Function function) { return static_cast<uint16_t>(function); }

std::pair<uint64_t, bool> key_of(const Step& step) { return {step.ticks, step.is_allocation}; }

}  // namespace

std::vector<Step> merged(const std::map<uint32_t, std::vector<Step>>& streams) {
  std::map<uint32_t, size_t> next;
  for (const auto& [stream, steps] : streams) next[stream] = 0;
  std::vector<Step> all;
  std::optional<uint32_t> last;
  for (;;) {
    std::optional<uint32_t> best;
    const auto head = [&](uint32_t stream) -> const Step& { return streams.at(stream)[next[stream]]; };
    for (const auto& [stream, at] : next)
      if (at < streams.at(stream).size() && (!best || key_of(head(stream)) < key_of(head(*best)))) best = stream;
    if (!best) return all;
    if (last && next[*last] < streams.at(*last).size() && key_of(head(*last)) <= key_of(head(*best))) best = last;
    last = best;
    all.push_back(head(*best));
    ++next[*best];
  }
}

SelectionHistory::SelectionHistory(const HistoryPlan& wanted) : plan(wanted), random_(wanted.seed) {
  builder.header.flags |= plan.flags;
  if (plan.ticks_per_ns != 1) {
    builder.header.clock = format::Clock::tsc;
    builder.header.nominal_ticks_per_second = uint64_t{1'000'000'000} * plan.ticks_per_ns;
  }
  builder.define_domain(kPoolDomain, "arena");
  builder.define_tag(kPoolGet, Function::pool_alloc, kPoolDomain, "get");
  builder.define_tag(kPoolPut, Function::pool_alloc, kPoolDomain, "put");
  make_stacks();
  Pool heap;
  for (const Function f : {Function::malloc, Function::calloc, Function::operator_new, Function::operator_new_array})
    heap.allocators.push_back(tag_of(f));
  for (const Function f : {Function::free, Function::free, Function::operator_delete, Function::operator_delete_array})
    heap.releasers.push_back(tag_of(f));
  heap.reallocator = tag_of(Function::realloc);
  heap.nowhere = 0x9000000;
  Pool arena;
  arena.allocators = {kPoolGet};
  arena.releasers = {kPoolPut};
  arena.nowhere = 0xa000000;
  const uint64_t places = plan.events > 10'000 ? 3000 : 200;
  for (uint64_t i = 0; i < places; ++i) heap.free_addresses.push_back(0x10000 + i * 16);
  for (uint64_t i = 0; i < 20; ++i) arena.free_addresses.push_back(0x10000 + i * 16);  // an arena gives heap addresses
  pools_ = {heap, arena};
  allocator_tags = heap.allocators;
  for (const Function f : {Function::realloc, Function::mmap, Function::mremap}) allocator_tags.push_back(tag_of(f));
  allocator_tags.push_back(kPoolGet);

  for (uint32_t thread = 1; thread <= plan.threads; ++thread) {
    streams_.push_back(thread);
    if (plan.has_signal_streams && thread % 2 == 1) streams_.push_back(thread + 1000);
  }
  planned_.resize(2000);
  time_ = 1000;
  for (int i = 0; i < plan.events; ++i) act();

  std::map<uint32_t, std::vector<Step>> by_stream;
  for (const uint32_t stream : streams_) by_stream[stream] = planned_[stream];
  steps = merged(by_stream);
  end_ticks = steps.back().ticks;
  // A whole number of nanoseconds after the start, so that the measured rate of the clock is the true one.
  if (plan.is_closed) end_ticks = TraceBuilder::kStart + (duration_ns() + 100'000) * plan.ticks_per_ns;
  write();
}

void SelectionHistory::make_stacks() {
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> first;  // (canonical parent, frame) to canonical id
  for (int i = 0; i < 24; ++i) {
    uint32_t id = format::kRootWhole, canonical = format::kRootWhole;
    for (uint64_t depth = 1 + pick(3); depth != 0; --depth) {
      const uint64_t frame = 0x1000 + pick(4) * 16;
      // Often a second node for what has one: two threads may write the same stack at once.
      const auto known = first.find({canonical, frame});
      id = known != first.end() && pick(2) == 0 ? known->second : builder.add_node(id, format::kNoModule, frame);
      canonical = first.try_emplace({canonical, frame}, id).first->second;
      canonical_stacks[id] = canonical;
    }
    stacks_.push_back(id);
  }
  stacks_.push_back(format::kNoStack);
  canonical_stacks[format::kNoStack] = format::kNoStack;
}

uint64_t SelectionHistory::pick_size() {
  switch (pick(8)) {
    case 0: return 0;
    case 1: return pick(1'000'000);
    case 2: return 64;
    default: return pick(200);
  }
}

// One that has not passed this time. Whoever touched the address at this very time must be the one to go on with it.
uint32_t SelectionHistory::pick_stream(uint64_t address) {
  const auto touched = touched_.find(address);
  if (touched != touched_.end() && touched->second.first >= time_) return touched->second.second;
  return streams_[pick(streams_.size())];
}

void SelectionHistory::add(Step step) {
  touched_[step.address] = {time_, step.stream};
  step.ticks = TraceBuilder::kStart + time_;
  planned_[step.stream].push_back(step);
}

void SelectionHistory::act() {
  // The first event of a stream has a time of its own; later ones may share theirs with those of others.
  const uint64_t kind = pick(plan.is_dense ? 100 : 20);
  if (!plan.is_dense || pick(3) == 0) time_ += 1 + pick(50);
  if (kind == 0) time_ += pick(200'000) * plan.ticks_per_ns;
  for (const uint32_t stream : streams_) {
    if (!planned_[stream].empty()) continue;
    Pool& pool = pools_[0];
    time_ += 2;
    add({.stream = stream,
         .is_allocation = true,
         .address = pool.free_addresses.back(),
         .size = pick_size(),
         .stack = stacks_[pick(stacks_.size())],
         .tag = pool.allocators[0]});
    pool.live.push_back(pool.free_addresses.back());
    pool.free_addresses.pop_back();
    ++time_;
    break;
  }
  const uint64_t which = pick(12);
  if (which == 0) return act_on_mappings();
  act_on(pools_[which == 1 ? 1 : 0]);
}

void SelectionHistory::act_on(Pool& pool) {
  const uint32_t stack = stacks_[pick(stacks_.size())];
  const uint64_t size = pick_size();
  if (plan.has_contradictions && pick(60) == 0) {
    // Long after all that happened to the address and long before what will.
    quiet(kApart * plan.ticks_per_ns);
    const uint32_t stream = streams_[pick(streams_.size())];
    if (pick(2) == 0 || pool.live.empty()) {
      const bool was_used = pick(2) == 0 && !pool.free_addresses.empty();
      add({.stream = stream,
           .address = was_used ? pool.free_addresses.front() : pool.nowhere,
           .tag = pool.releasers[pick(pool.releasers.size())]});
    } else {
      add({.stream = stream,
           .is_allocation = true,
           .address = pool.live[pick(pool.live.size())],
           .size = size,
           .stack = stack,
           .tag = pool.allocators[pick(pool.allocators.size())]});
    }
    quiet(kApart * plan.ticks_per_ns);
    return;
  }
  const bool grows = pick(100) < ((time_ >> 14) % 2 == 0 ? 60u : 40u);
  if ((grows || pool.live.empty()) && !pool.free_addresses.empty()) {
    std::swap(pool.free_addresses[pick(pool.free_addresses.size())], pool.free_addresses.back());
    const uint64_t address = pool.free_addresses.back();
    pool.free_addresses.pop_back();
    const uint32_t stream = pick_stream(address);
    const uint16_t tag = pool.allocators[pick(pool.allocators.size())];
    add({.stream = stream, .is_allocation = true, .address = address, .size = size, .stack = stack, .tag = tag});
    if (pick(4) != 0) {
      pool.live.push_back(address);
      return;
    }
    // Freed by the next event of the thread.
    time_ += pick(2);
    add({.stream = stream, .address = address, .tag = pool.releasers[pick(pool.releasers.size())]});
    pool.free_addresses.push_back(address);
    return;
  }
  if (pool.live.empty()) return;
  std::swap(pool.live[pick(pool.live.size())], pool.live.back());
  const uint64_t address = pool.live.back();
  const uint32_t stream = pick_stream(address);
  if (pool.reallocator != 0 && pick(4) == 0) {
    uint64_t to = address;
    if (pick(2) == 0 && !pool.free_addresses.empty()) {
      to = pool.free_addresses.back();
      const auto touched = touched_.find(to);
      if (touched != touched_.end() && touched->second.first >= time_ && touched->second.second != stream) to = address;
      if (to != address) {
        pool.free_addresses.back() = address;
        pool.live.back() = to;
      }
    }
    add({.stream = stream, .address = address, .stack = stack, .tag = pool.reallocator});
    time_ += pick(3) == 0 ? pick(3000) * plan.ticks_per_ns : pick(2);
    add({.stream = stream,
         .is_allocation = true,
         .continues = true,
         .address = to,
         .size = size,
         .stack = stack,
         .tag = pool.reallocator});
    return;
  }
  pool.live.pop_back();
  add({.stream = stream, .address = address, .tag = pool.releasers[pick(pool.releasers.size())]});
  pool.free_addresses.push_back(address);
}

// Threads map and unmap in turn, with time between: an address that is unmapped and mapped again is no contradiction.
void SelectionHistory::act_on_mappings() {
  constexpr uint64_t kFirst = 0x70000000;
  const uint32_t stack = stacks_[pick(stacks_.size())];
  ++time_;
  if (plan.has_contradictions && pick(20) == 0) {
    quiet(kApart * plan.ticks_per_ns);
    add({.stream = streams_[pick(streams_.size())],
         .address = 0x60000000,
         .size = kMemoryPage,
         .tag = tag_of(Function::munmap)});
    quiet(kApart * plan.ticks_per_ns);
    return;
  }
  const uint32_t stream = streams_[pick(streams_.size())];
  if (mapped_.empty() || pick(2) == 0) {
    // Anywhere: what lies there already is replaced.
    const uint64_t address = kFirst + pick(40) * kMemoryPage;
    const uint64_t size = pick(5) * kMemoryPage + pick(kMemoryPage);
    add({.stream = stream,
         .is_allocation = true,
         .address = address,
         .size = size,
         .stack = stack,
         .tag = tag_of(Function::mmap)});
    mapped_[address] = size;
    ++time_;
    return;
  }
  auto mapping = mapped_.begin();
  std::advance(mapping, static_cast<std::ptrdiff_t>(pick(mapped_.size())));
  const uint64_t address = mapping->first;
  if (pick(5) == 0) {
    add({.stream = stream, .address = address, .stack = stack, .tag = tag_of(Function::mremap)});
    const uint64_t to = kFirst + pick(40) * kMemoryPage, size = pick(5) * kMemoryPage + 1;
    time_ += pick(20);
    add({.stream = stream,
         .is_allocation = true,
         .continues = true,
         .address = to,
         .size = size,
         .stack = stack,
         .tag = tag_of(Function::mremap)});
    mapped_.erase(mapping);
    mapped_[to] = size;
  } else {
    const uint64_t begin = address + pick(3) * kMemoryPage;
    const uint64_t size = pick(6) == 0 ? 0 : 1 + pick(4 * kMemoryPage);
    add({.stream = stream, .address = begin, .size = size, .tag = tag_of(Function::munmap)});
    if (pick(2) == 0) mapped_.erase(mapping);
  }
  // An unmapping that met nothing waits for a mapping that was stamped too late: none comes.
  quiet(kApart * plan.ticks_per_ns);
}

void SelectionHistory::write() {
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const uint64_t time = step.ticks - TraceBuilder::kStart;
    if (pick(plan.events > 10'000 ? 900 : 150) == 0) builder.new_page(step.stream);
    if (step.continues) continue;  // written with its first half
    if (step.is_allocation) {
      builder.alloc_tagged(step.stream, time, step.address, step.size, step.stack, step.tag);
      continue;
    }
    const auto second = std::find_if(steps.begin() + static_cast<std::ptrdiff_t>(i) + 1, steps.end(),
                                     [&](const Step& other) { return other.stream == step.stream; });
    if (second != steps.end() && second->continues)
      builder.realloc(step.stream, time, second->ticks - TraceBuilder::kStart, step.address, second->address,
                      second->size, step.stack, static_cast<Function>(step.tag));
    else
      builder.free(step.stream, time, step.address, static_cast<Function>(step.tag), step.size, step.stack);
  }
  if (!plan.is_closed) return;
  builder.close(end_ticks - TraceBuilder::kStart);
  builder.header.end_monotonic_ns = TraceBuilder::kStart + duration_ns();
}

}  // namespace memprof::test
