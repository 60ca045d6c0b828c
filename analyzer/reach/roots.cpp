#include "reach/roots.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace memprof {

using format::SnapshotRangeKind;

namespace {

bool is_c_library(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("libc.so") || name.starts_with("libc-2.");
}

}  // namespace

Roots::Roots(const Trace& trace, const SnapshotImage& image, const LiveMemory& memory, const BlockIndex& blocks)
    : trace_(trace), image_(image), memory_(memory), blocks_(blocks) {
  find_anchors();
  find_allocators();
  for (const format::SnapshotRange& range : image.ranges) add_range(range);
  add_stacks_in_blocks();
  for (std::vector<RootArea>* areas : {&areas_, &in_blocks_})
    std::stable_sort(areas->begin(), areas->end(), [](const auto& a, const auto& b) { return a.start < b.start; });
}

const RootArea* Roots::find(uint64_t address, bool in_block) const {
  return find_in(in_block ? in_blocks_ : areas_, address);
}

const RootArea* Roots::find_in(const std::vector<RootArea>& areas, uint64_t address) {
  const auto behind = std::upper_bound(areas.begin(), areas.end(), address,
                                       [](uint64_t wanted, const RootArea& area) { return wanted < area.start; });
  if (behind == areas.begin() || address >= std::prev(behind)->end) return nullptr;
  return &*std::prev(behind);
}

void Roots::find_anchors() {
  for (size_t i = 0; i < image_.threads.size(); ++i) {
    anchors_.push_back({image_.threads[i].stack_pointer, i, true});
    anchors_.push_back({image_.threads[i].thread_pointer, i, false});
  }
  std::sort(anchors_.begin(), anchors_.end(), [](const Anchor& a, const Anchor& b) {
    return std::tie(a.address, a.thread, a.is_stack_pointer) < std::tie(b.address, b.thread, b.is_stack_pointer);
  });
}

uint32_t Roots::module_of(const LiveMapping& mapping) const { return trace_.nodes.node(mapping.stack).module; }

// The program itself is none: it may have an allocator in it, and data as well.
void Roots::find_allocators() {
  for (const LiveMapping& mapping : memory_.mappings) {
    const uint32_t module = module_of(mapping);
    const size_t index = trace_.modules.index_of(module);
    if (index == Modules::kNone || trace_.modules.all()[index].path == trace_.metadata.executable) continue;
    if (std::find(allocators_.begin(), allocators_.end(), module) != allocators_.end()) continue;
    if (memory_.held.held_any(mapping.start, mapping.end, mapping.alloc_ticks)) allocators_.push_back(module);
  }
}

void Roots::add_range(const format::SnapshotRange& range) {
  switch (range.kind) {
    case SnapshotRangeKind::anonymous: return add_anonymous(range);
    case SnapshotRangeKind::program_break: return;
    case SnapshotRangeKind::main_stack:
      if (!add_stack(range.start, range.end)) areas_.push_back({range.start, range.end, RootKind::stack, 0});
      return;
    case SnapshotRangeKind::shared:
      if (!memory_.held.held_any(range.start, range.end, 0))
        areas_.push_back({range.start, range.end, RootKind::shared, 0});
      return;
    case SnapshotRangeKind::file: break;
  }
  const auto& modules = trace_.modules.all();
  const auto found = std::find_if(modules.begin(), modules.end(), [&](const Module& module) {
    return module.unload_ticks == 0 && range.start >= module.start && range.start < module.end;
  });
  const bool is_known = found != modules.end();
  areas_.push_back({range.start, range.end, RootKind::data,
                    is_known ? static_cast<size_t>(found - modules.begin()) : Modules::kNone,
                    is_known && is_c_library(found->path)});
}

void Roots::add_anonymous(const format::SnapshotRange& range) {
  const auto& mappings = memory_.mappings;
  uint64_t at = range.start;
  // A long mapping may begin before others do that end before it: all of them are looked at that begin in the range.
  auto next = std::lower_bound(mappings.begin(), mappings.end(), range.start,
                               [](const LiveMapping& mapping, uint64_t start) { return mapping.start < start; });
  if (next != mappings.begin() && std::prev(next)->end > range.start) --next;
  for (; next != mappings.end() && next->start < range.end; ++next) {
    const uint64_t start = std::max(at, next->start), end = std::min(range.end, next->end);
    if (start >= end) continue;
    if (at < start) add_unknown(at, start, at == range.start && range.flags & format::kRangeAboveGuard);
    add_mapped(*next, start, end);
    at = end;
  }
  if (at < range.end) add_unknown(at, range.end, at == range.start && range.flags & format::kRangeAboveGuard);
}

void Roots::add_mapped(const LiveMapping& mapping, uint64_t start, uint64_t end) {
  const uint32_t module = module_of(mapping);
  if (std::find(allocators_.begin(), allocators_.end(), module) != allocators_.end()) return;
  if (memory_.held.held_any(start, end, mapping.alloc_ticks)) return;
  // A thread that runs in it has its stack below, but what else the program keeps there is not known.
  areas_.push_back({start, end, RootKind::mapping, static_cast<size_t>(&mapping - memory_.mappings.data())});
}

void Roots::add_unknown(uint64_t start, uint64_t end, bool is_above_guard) {
  if (add_stack(start, end) || is_above_guard || memory_.held.held_any(start, end, 0)) return;
  areas_.push_back({start, end, RootKind::other, 0});
}

bool Roots::add_stack(uint64_t start, uint64_t end) {
  const auto first = std::lower_bound(anchors_.begin(), anchors_.end(), start,
                                      [](const Anchor& anchor, uint64_t wanted) { return anchor.address < wanted; });
  uint64_t lowest = end;
  size_t owner = 0;
  auto anchor = first;
  for (; anchor != anchors_.end() && anchor->address < end; ++anchor) {
    // A thread with its control block here runs on another stack when no stack pointer of its own is here too.
    const uint64_t pointer = image_.threads[anchor->thread].stack_pointer;
    const bool has_stack = pointer >= start && pointer < end;
    const uint64_t from = has_stack ? pointer & ~uint64_t{7} : start;
    if (from >= lowest) continue;
    lowest = from;
    owner = anchor->thread;
  }
  if (anchor == first) return false;
  areas_.push_back({lowest, end, RootKind::stack, owner});
  return true;
}

void Roots::add_stacks_in_blocks() {
  for (size_t i = 0; i < image_.threads.size(); ++i) {
    const uint64_t pointer = image_.threads[i].stack_pointer & ~uint64_t{7};
    const uint32_t block = blocks_.find(pointer);
    if (pointer == 0 || block == BlockIndex::kNone) continue;
    in_blocks_.push_back({pointer, memory_.blocks[block].end(), RootKind::stack, i, false, true});
  }
}

}  // namespace memprof
