#include "reach/live_memory.h"

#include <algorithm>
#include <utility>

namespace memprof {

namespace {

// An allocation is stamped behind the real one, and rounded up: those of the thread that took the snapshot may bear a
// time a little later than it. The next event of anybody comes after the memory was copied, which takes far longer.
constexpr uint64_t kRoundingUnits = 2;

}  // namespace

LiveMemoryCollector::LiveMemoryCollector(const Trace& trace, uint64_t moment_ticks, ChunkVisitor* next)
    : trace_(trace), moment_ticks_(moment_ticks + (kRoundingUnits << trace.file.header().time_shift)), next_(next) {}

void LiveMemoryCollector::begin(const std::vector<Thread>& threads) {
  if (next_) next_->begin(threads);
}

void LiveMemoryCollector::add(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack) {
  if (domain == Domains::kHeap) {
    memory_.blocks.push_back({address, chunk.size, chunk.alloc_ticks, stack, chunk.thread, chunk.tag, false});
  } else if (trace_.domains.all()[domain].is_mapping) {
    const uint64_t mask = trace_.file.header().memory_page_size - 1;
    memory_.mappings.push_back({address, (address + chunk.size + mask) & ~mask, chunk.alloc_ticks, stack});
  }
}

void LiveMemoryCollector::closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack,
                                 const Release& release) {
  if (chunk.alloc_ticks <= moment_ticks_) {
    if (domain == Domains::kHeap) memory_.held.note(address, chunk.alloc_ticks);
    if (release.event.ticks > moment_ticks_) add(domain, address, chunk, stack);
  }
  if (next_) next_->closed(domain, address, chunk, stack, release);
}

void LiveMemoryCollector::open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack,
                               bool is_displaced) {
  if (chunk.alloc_ticks <= moment_ticks_) {
    if (domain == Domains::kHeap) memory_.held.note(address, chunk.alloc_ticks);
    if (is_displaced)
      memory_.displaced += domain == Domains::kHeap;
    else
      add(domain, address, chunk, stack);
  } else if (domain == Domains::kHeap && !is_displaced) {
    LaterBlocks& later = memory_.later[{stack, chunk.tag}];
    ++later.blocks;
    later.bytes += chunk.size;
  }
  if (next_) next_->open(domain, address, chunk, stack, is_displaced);
}

void LiveMemoryCollector::orphaned(uint16_t domain, const Release& release, OrphanKind kind) {
  if (domain == Domains::kHeap && kind == OrphanKind::inherited && release.event.ticks <= moment_ticks_)
    inherited_frees_.push_back(release.event.address);
  if (next_) next_->orphaned(domain, release, kind);
}

void LiveMemoryCollector::cut(const Chunk& chunk, const Event& event, uint64_t number) {
  if (next_) next_->cut(chunk, event, number);
}

void LiveMemoryCollector::inherit(LiveMemory inherited) {
  inherited_ = std::move(inherited);
  memory_.held = std::move(inherited_.held);
  memory_.displaced = inherited_.displaced;
}

LiveMemory LiveMemoryCollector::take() {
  std::sort(inherited_frees_.begin(), inherited_frees_.end());
  for (const LiveBlock& block : inherited_.blocks)
    if (!std::binary_search(inherited_frees_.begin(), inherited_frees_.end(), block.address))
      memory_.blocks.push_back(block);
  memory_.mappings.insert(memory_.mappings.end(), inherited_.mappings.begin(), inherited_.mappings.end());
  const auto by_address = [](const LiveBlock& a, const LiveBlock& b) {
    return a.address != b.address ? a.address < b.address : a.alloc_ticks > b.alloc_ticks;
  };
  std::sort(memory_.blocks.begin(), memory_.blocks.end(), by_address);
  const auto same = [](const LiveBlock& a, const LiveBlock& b) { return a.address == b.address; };
  memory_.blocks.erase(std::unique(memory_.blocks.begin(), memory_.blocks.end(), same), memory_.blocks.end());
  std::sort(memory_.mappings.begin(), memory_.mappings.end(),
            [](const LiveMapping& a, const LiveMapping& b) { return a.start < b.start; });
  return std::move(memory_);
}

}  // namespace memprof
