#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reach/rings.h"
#include "report/csv.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/leaks_graph.h"
#include "report/numbers.h"
#include "report/site_list.h"

namespace memprof {

namespace {

constexpr size_t kCyclesTop = 10;
constexpr size_t kCycleFrames = 6;
constexpr size_t kMostStacksShown = 4;

// Rings that were allocated by the same stacks.
struct CycleGroup {
  std::vector<StackId> stacks;  // of the members, each once
  uint64_t cycles = 0, blocks = 0, bytes = 0;
  uint64_t longest = 0;
};

std::vector<CycleGroup> find_groups(const Classification& classes) {
  const auto& blocks = classes.memory().blocks;
  std::vector<bool> is_lost(blocks.size());
  for (size_t i = 0; i < blocks.size(); ++i) is_lost[i] = classes.reach().of[i] < Reach::possible;
  std::map<std::vector<StackId>, CycleGroup> groups;
  for (const std::vector<uint32_t>& ring : find_rings(classes.graph(), is_lost)) {
    std::vector<StackId> stacks;
    uint64_t bytes = 0;
    for (const uint32_t block : ring) {
      bytes += blocks[block].size;
      stacks.push_back(blocks[block].stack);
    }
    std::sort(stacks.begin(), stacks.end());
    stacks.erase(std::unique(stacks.begin(), stacks.end()), stacks.end());
    CycleGroup& group = groups[stacks];
    group.stacks = std::move(stacks);
    ++group.cycles;
    group.blocks += ring.size();
    group.bytes += bytes;
    group.longest = std::max<uint64_t>(group.longest, ring.size());
  }
  std::vector<CycleGroup> sorted;
  for (auto& [key, group] : groups) sorted.push_back(std::move(group));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const CycleGroup& a, const CycleGroup& b) { return a.bytes > b.bytes; });
  return sorted;
}

void print_text(const Trace& trace, const std::vector<CycleGroup>& groups, const ReportOptions& options, Output& out) {
  if (groups.empty()) {
    out.print("No lost block is in a cycle.\n");
    return;
  }
  FrameSource source(trace, options.symbols);
  const StackStyle style = stack_style(options, kCycleFrames);
  const auto shown = std::span(groups).first(std::min(options.top.value_or(kCyclesTop), groups.size()));
  out.print("Lost blocks that hold each other\n\n");
  for (const CycleGroup& group : shown) {
    out.print("{} of up to {}: {} in {}, allocated at\n", count_of(group.cycles, "cycle", "cycles"),
              count_of(group.longest, "block", "blocks"), format_bytes(group.bytes),
              count_of(group.blocks, "block", "blocks"));
    source.prepare(group.stacks, style.max_frames + 64);
    for (size_t i = 0; i < std::min(group.stacks.size(), kMostStacksShown); ++i) {
      if (i != 0) out.write("   and at\n");
      print_stack(out, trace, source, group.stacks[i], style);
    }
    if (group.stacks.size() > kMostStacksShown)
      out.print("   and at {}\n", count_sites(group.stacks.size() - kMostStacksShown, GroupBy::stack, "more"));
    out.write("\n");
  }
  if (shown.size() < groups.size())
    out.print("... and cycles of {} (--top 0 shows all)\n",
              count_of(groups.size() - shown.size(), "other kind", "other kinds"));
}

}  // namespace

void report_leaks_cycles(const Trace& trace, const Classification& classes, const ReportOptions& options, Output& out) {
  static constexpr const char* kSchema = "memprof.cycles/1";
  if (report_unclassified(classes, kSchema, options, out)) return;
  const std::vector<CycleGroup> groups = find_groups(classes);
  if (!options.json && !options.csv) return print_text(trace, groups, options, out);
  FrameSource source(trace, options.symbols);
  const auto shown = std::span(groups).first(std::min(options.top.value_or(SIZE_MAX), groups.size()));
  if (options.csv) out.write("bytes,blocks,cycles,longest,stacks\r\n");
  Json document = {{"schema", kSchema}, {"classified", true}, {"kinds", groups.size()}};
  Json& list = document["cycles"] = Json::array();
  for (const CycleGroup& group : shown) {
    if (options.csv) {
      std::string stacks;
      for (const StackId stack : group.stacks)
        stacks += (stacks.empty() ? "" : "|") + joined_stack(source, stack, options);
      out.print("{},{},{},{},{}\r\n", group.bytes, group.blocks, group.cycles, group.longest, csv_field(stacks));
      continue;
    }
    Json entry = {
        {"cycles", group.cycles}, {"chunks", group.blocks}, {"bytes", group.bytes}, {"longest", group.longest}};
    Json& stacks = entry["stacks"] = Json::array();
    for (const StackId stack : group.stacks) {
      Json one;
      put_stack(one, "stack", source, stack, options);
      stacks.push_back(std::move(one));
    }
    list.push_back(std::move(entry));
  }
  if (!options.csv) print_json(out, document);
}

}  // namespace memprof
