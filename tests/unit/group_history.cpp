#include "group_history.h"

#include <algorithm>
#include <random>

namespace memprof::test {

using format::Function;

namespace {

constexpr uint16_t kTextures = 64;
constexpr uint16_t kFreeTexture = 310;

struct Kind {
  uint16_t event_tag;
  Function function;
  const char *domain, *allocator, *tag;
};
// The same names in both domains: groups are by name.
constexpr Kind kKinds[] = {
    {static_cast<uint16_t>(Function::malloc), Function::malloc, "cpu", "malloc", "(no tag)"},
    {static_cast<uint16_t>(Function::calloc), Function::calloc, "cpu", "calloc", "(no tag)"},
    {300, Function::malloc, "cpu", "malloc", "parse"},
    {301, Function::calloc, "cpu", "calloc", "parse"},
    {302, Function::calloc, "cpu", "calloc", "draw"},
    {303, Function::track_alloc, "textures", "track_alloc", "(no tag)"},
    {304, Function::track_alloc, "textures", "track_alloc", "draw"},
};

}  // namespace

GroupHistory::GroupHistory(uint64_t seed) {
  std::mt19937_64 random(seed);
  builder.define_domain(kTextures, "textures");
  for (const Kind& kind : kKinds)
    if (kind.event_tag >= format::kFirstDefinedTag)
      builder.define_tag(kind.event_tag, kind.function, kind.domain == std::string("cpu") ? 0 : kTextures,
                         kind.tag == std::string("(no tag)") ? "" : kind.tag);
  builder.define_tag(kFreeTexture, Function::track_free, kTextures, "");
  const uint32_t module = builder.add_module("/opt/liba.so", 0x400000, 0x500000, 0x400000);
  std::vector<std::pair<uint32_t, std::string>> stacks;
  for (uint64_t frame = 0; frame < 4; ++frame) {
    char name[32];
    std::snprintf(name, sizeof name, "liba.so+0x%llx", static_cast<unsigned long long>(0x1000 + frame * 16));
    stacks.emplace_back(builder.add_node(format::kRootWhole, module, 0x1000 + frame * 16), name);
  }
  std::vector<size_t> live;
  uint64_t time = 100;
  for (int event = 0; event < 800; ++event) {
    time += 1 + random() % 1000;
    const auto thread = 1 + static_cast<uint32_t>(random() % kThreads);
    if (live.empty() || random() % 100 < (event < 500 ? 60u : 35u)) {
      const Kind& kind = kKinds[random() % std::size(kKinds)];
      const auto& [stack, name] = stacks[random() % stacks.size()];
      const uint64_t size = random() % 5000;
      builder.alloc_tagged(thread, time, 0x10000 + blocks.size() * 16, size, stack, kind.event_tag);
      live.push_back(blocks.size());
      changes_.push_back({blocks.size(), true});
      blocks.push_back({time, size, std::nullopt, thread, 0, name, kind.domain, kind.allocator, kind.tag});
    } else {
      std::swap(live[random() % live.size()], live.back());
      GroupedBlock& block = blocks[live.back()];
      builder.free(thread, time, 0x10000 + live.back() * 16,
                   block.domain == "cpu" ? Function::free : static_cast<Function>(kFreeTexture));
      block.died = time;
      block.killer = thread;
      changes_.push_back({live.back(), false});
      live.pop_back();
    }
  }
  end = time + 1000;
  builder.close(end);
}

std::map<std::string, GroupSums> GroupHistory::sums(const std::set<std::string>& domains, const Key& key) const {
  std::map<std::string, GroupSums> all;
  for (const Change& change : changes_) {
    const GroupedBlock& block = blocks[change.block];
    if (!domains.contains(block.domain)) continue;
    for (const std::string& group : {key(block), std::string()}) {
      GroupSums& sums = all[group];
      if (change.is_birth) {
        ++sums.allocations;
        sums.bytes += block.size;
        ++sums.open;
        sums.open_bytes += block.size;
      } else {
        ++sums.frees;
        sums.bytes_freed += block.size;
        --sums.open;
        sums.open_bytes -= block.size;
      }
    }
    GroupSums& whole = all[""];
    const bool is_peak = change.is_birth && whole.open_bytes > whole.peak;
    for (auto& [name, sums] : all) {
      sums.peak = std::max(sums.peak, sums.open_bytes);
      if (is_peak) sums.at_peak = sums.open_bytes;
    }
  }
  return all;
}

uint64_t GroupHistory::open_bytes_before(uint64_t time, const std::set<std::string>& domains, const Key& key,
                                         const std::string& group) const {
  uint64_t bytes = 0;
  for (const GroupedBlock& block : blocks)
    if (domains.contains(block.domain) && key(block) == group && block.born < time &&
        (!block.died || *block.died >= time))
      bytes += block.size;
  return bytes;
}

}  // namespace memprof::test
