#include "selection_blocks.h"

#include <algorithm>
#include <set>

namespace memprof::test {

TagMeaning about(uint16_t tag) {
  switch (tag) {
    case 1:
    case 2:
    case 3:
    case 12: return {"cpu", 'm'};
    case 10:
    case 15: return {"cpu", 'n'};
    case 11:
    case 16: return {"cpu", 'a'};
    case 17:
    case 18:
    case 19: return {"mmap", 'p'};
    default: return {"arena", 0};
  }
}

BlockLives::BlockLives(const std::vector<Step>& steps, size_t count) : steps_(steps) {
  for (size_t i = 0; i < count; ++i) {
    const Step& step = steps[i];
    if (about(step.tag).domain == std::string("mmap"))
      step.is_allocation ? map(i) : unmap(i, step.address, step.size, true);
    else
      step.is_allocation ? allocate(i) : release(i);
    latest_[step.thread()] = i;
  }
}

bool BlockLives::follows_birth(size_t i, const Block& block) const {
  const auto before = latest_.find(steps_[i].thread());
  return before != latest_.end() && before->second == block.born;
}

void BlockLives::allocate(size_t i) {
  const auto [place, is_new] = live_.try_emplace({about(steps_[i].tag).domain, steps_[i].address}, blocks.size());
  if (!is_new) blocks[place->second].displaced = i;
  place->second = blocks.size();
  blocks.push_back({.born = i, .cuts = {}, .bytes_left = steps_[i].size});
}

void BlockLives::release(size_t i) {
  const auto found = live_.find({about(steps_[i].tag).domain, steps_[i].address});
  if (found == live_.end()) return orphans.push_back(i);
  Block& block = blocks[found->second];
  block.ended = i;
  block.is_temporary = follows_birth(i, block);
  block.cuts.emplace_back(i, block.bytes_left);
  block.bytes_left = 0;
  live_.erase(found);
}

void BlockLives::map(size_t i) {
  const uint64_t address = steps_[i].address, size = std::max<uint64_t>(steps_[i].size, 1);
  unmap(i, address, size, false);
  for (uint64_t page = address; page < address + size; page += kMemoryPage) page_owner_[page] = blocks.size();
  blocks.push_back({.born = i, .cuts = {}, .bytes_left = steps_[i].size});
}

void BlockLives::unmap(size_t i, uint64_t address, uint64_t size, bool may_be_orphan) {
  std::map<size_t, uint64_t> taken;  // by block: bytes
  std::set<size_t> touched;
  const auto first = page_owner_.find(address);
  const auto take = [&](uint64_t page, size_t owner) {
    const Step& born = steps_[blocks[owner].born];
    const uint64_t offset = page - born.address;
    taken[owner] += offset < born.size ? std::min(kMemoryPage, born.size - offset) : 0;
    touched.insert(owner);
    page_owner_.erase(page);
  };
  if (size == 0) {
    if (first != page_owner_.end()) {
      const size_t owner = first->second;
      for (uint64_t page = address;; page += kMemoryPage) {
        const auto found = page_owner_.find(page);
        if (found == page_owner_.end() || found->second != owner) break;
        take(page, owner);
      }
    }
  } else {
    for (uint64_t page = address; page < address + size; page += kMemoryPage) {
      const auto found = page_owner_.find(page);
      if (found != page_owner_.end()) take(page, found->second);
    }
  }
  if (touched.empty() && may_be_orphan) orphans.push_back(i);
  for (const size_t index : touched) {
    Block& block = blocks[index];
    const bool is_gone =
        std::none_of(page_owner_.begin(), page_owner_.end(), [&](const auto& page) { return page.second == index; });
    block.cuts.emplace_back(i, taken[index]);
    block.bytes_left -= taken[index];
    if (!is_gone) continue;
    block.ended = i;
    block.is_temporary = may_be_orphan && steps_[blocks[index].born].address == address && follows_birth(i, block);
  }
}

}  // namespace memprof::test
