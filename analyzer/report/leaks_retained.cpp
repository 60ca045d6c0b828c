#include <fmt/format.h>
#include <tsl/robin_map.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reach/dominators.h"
#include "report/csv.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/leaks_graph.h"
#include "report/numbers.h"
#include "report/site_list.h"

namespace memprof {

namespace {

constexpr size_t kRetainedTop = 20;
constexpr size_t kRetainedFrames = 16;

struct RetainingSite {
  StackId stack = 0;
  uint16_t tag = 0;  // of one of its blocks
  uint64_t retained_bytes = 0, retained_blocks = 0;
  uint64_t bytes = 0, blocks = 0;  // its own
  uint64_t reach[4] = {};          // blocks, by Reach
  uint32_t open = 0;               // of its blocks, in the walk
};

// What all blocks of a stack hold together: what one of them holds that another one holds counts once.
std::vector<RetainingSite> find_sites(const Classification& classes) {
  const auto& blocks = classes.memory().blocks;
  const Dominators dominators(classes.graph(), classes.reach());
  std::vector<RetainingSite> sites;
  tsl::robin_map<StackId, uint32_t> index;
  std::vector<uint32_t> site_of(blocks.size());
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    const auto [found, is_new] = index.insert({blocks[i].stack, static_cast<uint32_t>(sites.size())});
    if (is_new) sites.push_back({.stack = blocks[i].stack, .tag = blocks[i].tag});
    RetainingSite& site = sites[site_of[i] = found->second];
    site.bytes += blocks[i].size;
    ++site.blocks;
    ++site.reach[static_cast<size_t>(classes.reach().of[i])];
  }
  const auto enter = [&](uint32_t block) {
    RetainingSite& site = sites[site_of[block]];
    if (site.open++ != 0) return;
    site.retained_bytes += dominators.retained_bytes(block);
    site.retained_blocks += dominators.retained_blocks(block);
  };
  dominators.visit_tree(enter, [&](uint32_t block) { --sites[site_of[block]].open; });
  std::erase_if(sites, [](const RetainingSite& site) { return site.stack == format::kNoStack; });  // the parent's
  std::sort(sites.begin(), sites.end(), [](const RetainingSite& a, const RetainingSite& b) {
    return std::tuple(b.retained_bytes, b.bytes, a.stack) < std::tuple(a.retained_bytes, a.bytes, b.stack);
  });
  return sites;
}

void print_text(const Trace& trace, const std::vector<RetainingSite>& sites, const ReportOptions& options,
                Output& out) {
  FrameSource source(trace, options.symbols);
  const StackStyle style = stack_style(options, kRetainedFrames);
  const auto shown = std::span(sites).first(std::min(options.top.value_or(kRetainedTop), sites.size()));
  source.prepare_each(shown, &RetainingSite::stack, style.max_frames + 64);
  out.print("What would be freed with the blocks of each stack, themselves included\n\n");
  for (const RetainingSite& site : shown) {
    out.print("{} in {}, by {} of {}: {}\n", format_bytes(site.retained_bytes),
              count_of(site.retained_blocks, "block", "blocks"), count_of(site.blocks, "block", "blocks"),
              format_bytes(site.bytes), describe_reach(site.reach));
    print_stack(out, trace, source, site.stack, style);
    out.print("\n");
  }
  if (shown.size() < sites.size())
    out.print("... and {} (--top 0 shows all)\n", count_sites(sites.size() - shown.size(), GroupBy::stack, "other"));
}

Json site_json(const Trace& trace, FrameSource& source, const RetainingSite& site, const ReportOptions& options) {
  Json entry = {{"allocator", to_utf8(trace.domains.tag_name(site.tag))},
                {"retained", {{"chunks", site.retained_blocks}, {"bytes", site.retained_bytes}}},
                {"own", {{"chunks", site.blocks}, {"bytes", site.bytes}}}};
  for (const Reach reach : {Reach::definite, Reach::indirect, Reach::possible, Reach::reachable})
    entry["reach"][reach_name(reach)] = site.reach[static_cast<size_t>(reach)];
  put_stack(entry, "stack", source, site.stack, options);
  return entry;
}

}  // namespace

std::string describe_reach(const uint64_t (&counts)[4]) {
  std::string text;
  for (const Reach reach : {Reach::definite, Reach::indirect, Reach::possible, Reach::reachable})
    if (const uint64_t count = counts[static_cast<size_t>(reach)]; count != 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", format_count(count), reach_name(reach));
  return text;
}

bool report_unclassified(const Classification& classes, const char* schema, const ReportOptions& options, Output& out) {
  if (classes.problem().empty()) return false;
  if (options.json)
    print_json(out, {{"schema", schema}, {"classified", false}, {"why", to_utf8(classes.problem())}});
  else
    out.print("Not classified: {}.\n", escape_text(classes.problem()));
  return true;
}

void report_leaks_retained(const Trace& trace, const Classification& classes, const ReportOptions& options,
                           Output& out) {
  static constexpr const char* kSchema = "memprof.retained/1";
  if (report_unclassified(classes, kSchema, options, out)) return;
  const std::vector<RetainingSite> sites = find_sites(classes);
  if (!options.json && !options.csv) return print_text(trace, sites, options, out);
  FrameSource source(trace, options.symbols);
  const auto shown = std::span(sites).first(std::min(options.top.value_or(SIZE_MAX), sites.size()));
  source.prepare_each(shown, &RetainingSite::stack, shown_limit(options));
  if (options.csv) {
    out.write("retained_bytes,retained_blocks,bytes,blocks,definite,indirect,possible,reachable,allocator,stack\r\n");
    for (const RetainingSite& site : shown)
      out.print("{},{},{},{},{},{},{}\r\n", site.retained_bytes, site.retained_blocks, site.bytes, site.blocks,
                fmt::join(site.reach, ","), csv_field(trace.domains.tag_name(site.tag)),
                csv_field(joined_stack(source, site.stack, options)));
    return;
  }
  Json document = {{"schema", kSchema}, {"classified", true}, {"sites", sites.size()}};
  Json& stacks = document["stacks"] = Json::array();
  for (const RetainingSite& site : shown) stacks.push_back(site_json(trace, source, site, options));
  print_json(out, document);
}

}  // namespace memprof
