#include "synthetic/program.h"

#include <algorithm>

namespace memprof::synthetic {

using format::Function;

namespace {

// How long a thread goes on before another one does: what a processor's other threads leave it.
constexpr uint64_t kMostEventsInARow = 31;
constexpr uint64_t kMostCalls = 4;  // of one function, one after the other
constexpr uint64_t kEbbs = 8;

Function release_of(Function function) {
  if (function == Function::operator_new) return Function::operator_delete;
  if (function == Function::operator_new_array) return Function::operator_delete_array;
  return Function::free;
}

}  // namespace

Program::Program(const Shape& shape, TracePages& trace)
    : shape_(shape),
      trace_(trace),
      random_(shape.seed),
      sites_(shape.stacks, random_, trace),
      heap_(shape.threads),
      threads_(shape.threads),
      queue_length_(std::clamp<uint64_t>(shape.live / (8 * shape.threads), 1, 2000)) {
  for (Thread& thread : threads_) begin_call(thread);
}

void Program::run() {
  while (totals_.events < shape_.events) {
    const size_t index = random_.below(threads_.size());
    threads_[index].has_run = true;
    const uint64_t most = 1 + random_.below(kMostEventsInARow);
    for (uint64_t i = std::min(most, shape_.events - totals_.events); i > 0; --i) step(index);
  }
}

uint64_t Program::threads_used() const {
  return static_cast<uint64_t>(
      std::count_if(threads_.begin(), threads_.end(), [](const Thread& t) { return t.has_run; }));
}

// An eighth of the blocks goes and comes again some times, so that the sites have their peaks at different times.
uint64_t Program::kept_wanted() const {
  const uint64_t period = shape_.events / kEbbs + 1;
  const uint64_t phase = totals_.events % period;
  const uint64_t ebb = shape_.live / 8 * std::min(phase, period - phase) / (period / 2 + 1);
  const uint64_t elsewhere = ebb + queue_length_ * threads_.size();
  return shape_.live > elsewhere ? shape_.live - elsewhere : 1;
}

void Program::begin_call(Thread& thread) {
  for (; thread.queue.size() > queue_length_; thread.queue.pop_front()) thread.doomed.push_back(thread.queue.front());
  if (thread.calls_left == 0) {
    thread.body = sites_.pick(random_);
    thread.calls_left = 1 + random_.below(kMostCalls);
  }
  --thread.calls_left;
  thread.next = thread.body.begin;
}

void Program::step(size_t index) {
  Thread& thread = threads_[index];
  ++totals_.events;
  if (!thread.doomed.empty()) {
    const Block block = thread.doomed.back();
    thread.doomed.pop_back();
    return free(index, block);
  }
  bool is_done = false;
  while (!is_done) {
    is_done = perform(index, sites_.operations()[thread.next]);
    if (++thread.next == thread.body.end) begin_call(thread);
  }
}

bool Program::perform(size_t index, const Operation& operation) {
  Block& block = threads_[index].slots[operation.slot];
  if (operation.kind == Operation::Kind::allocate) {
    if (operation.is_conditional && random_.percent(50)) return false;
    allocate(index, operation);
    return true;
  }
  if (block.address == 0) return false;
  if (operation.kind == Operation::Kind::grow) {
    grow(index, operation);
  } else {
    free(index, block);
    block = {};
  }
  return true;
}

// Two units of the trace's time at least.
uint64_t Program::next_ticks() {
  constexpr uint64_t kLeast = 2u << format::kTimeShift;
  return ticks_ += kLeast + random_.below(256);
}

uint32_t Program::size_at(const Site& site) {
  return site.size + (site.size_varies ? static_cast<uint32_t>(random_.below(site.size / 2 + 1)) : 0);
}

void Program::allocate(size_t index, const Operation& operation) {
  Thread& thread = threads_[index];
  const Site& site = sites_.site(operation.site);
  const uint32_t size = size_at(site);
  const uint8_t size_class = Heap::class_of(size);
  const Block block{heap_.take(index, size_class), size, size_class, site.function};
  const uint64_t ticks = next_ticks();
  const uint32_t stack = sites_.stack_of(operation.site, index, ticks);
  trace_.alloc(index, ticks, block.address, size, stack, site.function);
  totals_.allocate(size);
  thread.latest_block = block.address;

  // Until there are as many as shall be live, all small blocks but the function's own are kept.
  const bool is_filling = size <= 64 && kept_.size() < kept_wanted() / 8 * 7;
  if (site.life == Life::scoped)
    thread.slots[operation.slot] = block;
  else if (site.life == Life::kept || is_filling)
    keep(thread, block);
  else
    threads_[site.life == Life::passed ? (index + 1) % threads_.size() : index].queue.push_back(block);
}

void Program::keep(Thread& thread, const Block& block) {
  kept_.push_back(block);
  const uint64_t wanted = kept_wanted();
  for (int most = 2; most > 0 && kept_.size() > wanted; --most) {
    std::swap(kept_[random_.below(kept_.size())], kept_.back());
    thread.doomed.push_back(kept_.back());
    kept_.pop_back();
  }
}

void Program::free(size_t index, const Block& block) {
  Thread& thread = threads_[index];
  trace_.free(index, next_ticks(), block.address, release_of(block.function));
  heap_.give_back(index, block.size_class, block.address);
  totals_.free(block.size, thread.latest_block == block.address);
  thread.latest_block = 0;
}

void Program::grow(size_t index, const Operation& operation) {
  Thread& thread = threads_[index];
  Block& block = thread.slots[operation.slot];
  const Site& site = sites_.site(operation.site);
  const Block before = block;
  block.size = std::min(before.size + before.size / 2 + 16, 1u << 20);
  block.size_class = Heap::class_of(block.size);
  block.function = site.function;
  if (block.size_class != before.size_class) block.address = heap_.take(index, block.size_class);
  const uint64_t begin = next_ticks();
  const uint64_t end = next_ticks();
  const uint32_t stack = sites_.stack_of(operation.site, index, begin);
  trace_.realloc(index, begin, end, before.address, block.address, block.size, stack);
  if (block.address != before.address) heap_.give_back(index, before.size_class, before.address);
  totals_.free(before.size, thread.latest_block == before.address);
  totals_.allocate(block.size);
  thread.latest_block = block.address;
}

}  // namespace memprof::synthetic
