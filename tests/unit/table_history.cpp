#include "table_history.h"

#include <algorithm>
#include <set>

namespace memprof::test {

using format::Function;

void History::make_stacks(std::mt19937_64& random, size_t count) {
  const uint32_t modules_of_trace[2] = {builder.add_module("/opt/liba.so", 0x400000, 0x500000, 0x400000),
                                        builder.add_module("/opt/libb.so", 0x600000, 0x700000, 0x600000)};
  const char* const names[2] = {"liba.so", "libb.so"};
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> nodes;  // (parent, frame) to id
  std::set<std::vector<uint64_t>> seen;
  while (stacks.size() < count) {
    std::vector<uint64_t> frames;  // outermost first; few kinds, so that functions come again
    for (uint64_t depth = 1 + random() % 7; depth != 0; --depth) frames.push_back(random() % 6);
    if (!seen.insert(frames).second) continue;
    uint32_t id = format::kRootWhole;
    std::vector<std::string> stack;
    for (const uint64_t frame : frames) {
      const uint64_t address = 0x1000 + frame * 0x10;
      uint32_t& node = nodes[{id, frame}];
      if (node == 0) node = builder.add_node(id, modules_of_trace[frame % 2], address);
      id = node;
      char text[64];
      std::snprintf(text, sizeof text, "%s+0x%llx", names[frame % 2], static_cast<unsigned long long>(address));
      stack.insert(stack.begin(), text);
    }
    stack_ids_.push_back(id);
    stacks.push_back(stack);
    modules.push_back(std::string("/opt/") + names[frames.back() % 2]);
  }
}

History::History(uint64_t seed, bool is_rich) {
  std::mt19937_64 random(seed);
  threads = 1 + static_cast<uint32_t>(random() % 5);
  make_stacks(random, is_rich ? 25 : 2);
  static constexpr std::pair<Function, const char*> kFunctions[] = {
      {Function::malloc, "malloc"}, {Function::calloc, "calloc"}, {Function::realloc, "realloc"}};
  std::map<uint64_t, size_t> live;  // address to block
  std::vector<uint64_t> free_addresses;
  for (uint64_t i = 0; i < 300; ++i) free_addresses.push_back(0x10000 + i * 16);
  uint64_t time = 100;
  const auto die = [&](uint64_t address, uint32_t thread) {
    HistoryBlock& block = blocks[live.at(address)];
    block.died = time;
    block.killer = thread;
    changes_.push_back({time, live.at(address), false});
    live.erase(address);
  };
  const auto bear = [&](uint64_t address, uint64_t size, size_t stack, uint32_t thread, const char* function) {
    live[address] = blocks.size();
    changes_.push_back({time, blocks.size(), true});
    blocks.push_back({time, size, stack, thread, function, {}, 0});
  };
  for (int event = 0; event < 1500; ++event) {
    const uint32_t thread = 1 + static_cast<uint32_t>(random() % threads);
    time += 1 + (random() % 4 == 0 ? random() % 100'000 : random() % 50);
    const bool grows = random() % 100 < (event < 900 ? 60u : 35u);
    const uint64_t size = !is_rich ? 8 * (random() % 3) : random() % 3 == 0 ? random() % 1'000'000 : random() % 200;
    const size_t stack = random() % stacks.size();
    if ((grows || live.empty()) && !free_addresses.empty()) {
      std::swap(free_addresses[random() % free_addresses.size()], free_addresses.back());
      const uint64_t address = free_addresses.back();
      free_addresses.pop_back();
      const auto& [function, name] = kFunctions[random() % 3];
      builder.alloc(thread, time, address, size, stack_ids_[stack], function);
      bear(address, size, stack, thread, name);
      if (function == Function::realloc) reallocs.push_back({stack, thread, 0, size, false});
      continue;
    }
    if (live.empty()) continue;
    const uint64_t old_address = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()))->first;
    if (random() % 4 == 0) {
      const bool moves = random() % 2 && !free_addresses.empty();
      const uint64_t address = moves ? free_addresses.back() : old_address;
      builder.realloc(thread, time, time + 1, old_address, address, size, stack_ids_[stack]);
      reallocs.push_back({stack, thread, blocks[live.at(old_address)].size, size, true});
      die(old_address, thread);
      ++time;
      bear(address, size, stack, thread, "realloc");
      if (moves) free_addresses.back() = old_address;
    } else {
      builder.free(thread, time, old_address);
      die(old_address, thread);
      free_addresses.push_back(old_address);
    }
    if (random() % 200 == 0) builder.new_page(thread);
  }
  builder.close(time + 100'000);
  uint64_t open = 0;
  for (const Change& change : changes_) {
    open = change.is_birth ? open + blocks[change.block].size : open - blocks[change.block].size;
    if (open <= peak) continue;
    peak = open;
    peak_time = change.time;
  }
}

std::map<std::string, HistorySums> History::sums(const Key& key) const {
  std::map<std::string, HistorySums> all;
  const auto of = [&](size_t index) -> HistorySums& {
    const HistoryBlock& block = blocks[index];
    return all[key(block.stack, block.thread, block.function)];
  };
  uint64_t open = 0, most = 0;
  for (const Change& change : changes_) {
    HistorySums& sums = of(change.block);
    const HistoryBlock& block = blocks[change.block];
    if (!change.is_birth) {
      --sums.open;
      sums.open_bytes -= block.size;
      open -= block.size;
      ++sums.freed;
      sums.lifetime += block.lifetime();
      continue;
    }
    ++sums.allocations;
    sums.bytes += block.size;
    ++sums.open;
    sums.open_bytes += block.size;
    open += block.size;
    if (sums.open_bytes > sums.peak) {
      sums.peak = sums.open_bytes;
      sums.peak_time = change.time;
    }
    if (open <= most) continue;
    most = open;
    for (auto& [name, group] : all) {
      group.at_peak = group.open_bytes;
      group.at_peak_blocks = group.open;
    }
  }
  for (const HistoryRealloc& call : reallocs) {
    HistorySums& sums = all[key(call.stack, call.thread, "realloc")];
    ++sums.reallocs;
    sums.taken += call.taken;
    sums.returned += call.returned;
  }
  return all;
}

}  // namespace memprof::test
