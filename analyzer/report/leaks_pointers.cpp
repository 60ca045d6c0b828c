#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "report/csv.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/leaks_graph.h"
#include "report/numbers.h"
#include "report/site_list.h"
#include "report/stack_filter.h"

namespace memprof {

namespace {

constexpr size_t kHoldersTop = 10;
constexpr size_t kHolderFrames = 5;

// A kind of place from which the blocks are pointed at.
struct Holder {
  bool is_block = false;
  std::string place;    // of a root: "data of libfoo.so+0x10", "stack of thread 12"
  StackId stack = 0;    // of a block: what allocated it
  uint64_t offset = 0;  // in the block, of the word
  uint64_t size = 0;    // of one such block
  uint64_t words = 0, interior = 0;
  uint64_t example = 0;  // address of one such word; of a register, 0
};

std::string place_of(const Trace& trace, const BlockGraph& graph, const RootArea& area, uint64_t address) {
  const auto thread = [&] { return graph.image().threads[area.index].thread_id; };
  switch (area.kind) {
    case RootKind::registers: return fmt::format("a register of thread {}", thread());
    case RootKind::stack: return fmt::format("the stack of thread {}", thread());
    case RootKind::mapping: return "memory that the program mapped";
    case RootKind::shared: return "shared memory";
    case RootKind::other: return "memory of the loader's";
    case RootKind::data: break;
  }
  if (area.index == Modules::kNone) return "data of a module";
  const Module& module = trace.modules.all()[area.index];
  return fmt::format("data of {}+{:#x}", module.path, address - module.load_bias);
}

class HolderFinder : public SnapshotWords {
 public:
  HolderFinder(const Trace& trace, const BlockGraph& graph, const std::vector<bool>& is_target)
      : trace_(trace), graph_(graph), is_target_(is_target) {}

  std::vector<Holder> run() {
    for (const RootEdge& root : graph_.root_edges())
      if (is_target_[root.edge.target()])
        add({false, 0, 0, place_of(trace_, graph_, *root.area, root.address)}, root.address, root.edge.is_interior(),
            0);
    visit_words(trace_.file, graph_.image(), *this);
    std::vector<Holder> sorted;
    for (auto& [key, holder] : holders_) sorted.push_back(std::move(holder));
    std::stable_sort(sorted.begin(), sorted.end(), [](const Holder& a, const Holder& b) {
      return std::tuple(a.is_block, b.words) < std::tuple(b.is_block, a.words);
    });
    return sorted;
  }

  void word(uint64_t address, uint64_t value) override {
    const uint32_t target = graph_.index().find(value);
    if (target == BlockIndex::kNone || !is_target_[target]) return;
    const uint32_t owner = graph_.index().find(address);
    if (owner == BlockIndex::kNone) return;
    const LiveBlock& block = graph_.blocks()[owner];
    add({true, block.stack, address - block.address, {}}, address, value != graph_.blocks()[target].address,
        block.size);
  }

 private:
  using Key = std::tuple<bool, StackId, uint64_t, std::string>;

  void add(Key key, uint64_t address, bool is_interior, uint64_t size) {
    Holder& holder = holders_[key];
    if (holder.words == 0) {
      std::tie(holder.is_block, holder.stack, holder.offset, holder.place) = std::move(key);
      holder.example = address;
      holder.size = size;
    }
    ++holder.words;
    holder.interior += is_interior;
  }

  const Trace& trace_;
  const BlockGraph& graph_;
  const std::vector<bool>& is_target_;
  std::map<Key, Holder> holders_;
};

// The shortest way from a root, or from a lost block that nothing holds, to one of the targets.
struct Way {
  std::string begin;             // place of the root; empty: it begins with a lost block
  std::vector<uint32_t> blocks;  // the last is the target
};

Way shortest_way(const Trace& trace, const Classification& classes, const std::vector<bool>& is_target) {
  constexpr uint32_t kNone = UINT32_MAX;
  const BlockGraph& graph = classes.graph();
  std::vector<uint32_t> from(graph.blocks().size(), kNone);
  std::map<uint32_t, const RootEdge*> begins;
  std::deque<uint32_t> pending;
  const auto start = [&](uint32_t block, const RootEdge* root) {
    if (from[block] != kNone) return;
    from[block] = block;
    begins[block] = root;
    pending.push_back(block);
  };
  for (const RootEdge& root : graph.root_edges()) start(root.edge.target(), &root);
  for (uint32_t block = 0; block < from.size(); ++block)
    if (classes.reach().of[block] == Reach::definite) start(block, nullptr);
  while (!pending.empty()) {
    uint32_t block = pending.front();
    pending.pop_front();
    if (!is_target[block]) {
      for (const Edge& edge : graph.edges_of(block)) {
        if (from[edge.target()] != kNone) continue;
        from[edge.target()] = block;
        pending.push_back(edge.target());
      }
      continue;
    }
    Way way;
    for (;; block = from[block]) {
      way.blocks.push_back(block);
      if (from[block] == block) break;
    }
    std::reverse(way.blocks.begin(), way.blocks.end());
    if (const RootEdge* const root = begins[block]) way.begin = place_of(trace, graph, *root->area, root->address);
    return way;
  }
  return {};
}

std::vector<bool> find_targets(const Trace& trace, const Classification& classes, const std::string& text,
                               const ReportOptions& options, std::string& problem) {
  const auto& blocks = classes.memory().blocks;
  std::vector<bool> is_target(blocks.size());
  if (text.starts_with("0x")) {
    uint64_t address = 0;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), address, 16);
    const uint32_t block = classes.graph().index().find(address);
    if (error != std::errc() || end != text.data() + text.size())
      problem = text + " is no address";
    else if (block == BlockIndex::kNone)
      problem = text + " lies in no block that was live at the snapshot (chunks --state open lists them)";
    else
      is_target[block] = true;
    return is_target;
  }
  FramePatterns patterns;
  patterns.functions = parse_patterns({text}, problem);
  if (!problem.empty()) return is_target;
  StackFilter filter(trace, std::move(patterns), options.symbols);
  bool is_any = false;
  for (size_t i = 0; i < blocks.size(); ++i) {
    is_target[i] = blocks[i].stack != format::kNoStack && filter.matches(blocks[i].stack);
    is_any = is_any || is_target[i];
  }
  if (!is_any) problem = "no block that was live at the snapshot was allocated below a function " + text;
  return is_target;
}

struct Targets {
  uint64_t blocks = 0, bytes = 0, reach[4] = {};
};

Targets sum_targets(const Classification& classes, const std::vector<bool>& is_target) {
  Targets targets;
  for (size_t i = 0; i < is_target.size(); ++i) {
    if (!is_target[i]) continue;
    ++targets.blocks;
    targets.bytes += classes.memory().blocks[i].size;
    ++targets.reach[static_cast<size_t>(classes.reach().of[i])];
  }
  return targets;
}

std::string words_text(const Holder& holder) {
  std::string text = count_of(holder.words, "word", "words");
  if (holder.interior != 0)
    text +=
        holder.interior == holder.words ? ", into the middle" : fmt::format(", {} into the middle", holder.interior);
  return text;
}

void print_text(const Trace& trace, const Classification& classes, const Targets& targets,
                const std::vector<Holder>& holders, const Way& way, const ReportOptions& options, Output& out) {
  FrameSource source(trace, options.symbols);
  const StackStyle style = stack_style(options, kHolderFrames);
  out.print("{} in {}: {}\n\n", format_bytes(targets.bytes), count_of(targets.blocks, "block", "blocks"),
            describe_reach(targets.reach));
  if (holders.empty()) out.write("Nothing points there.\n");
  const auto shown = std::span(holders).first(std::min(options.top.value_or(kHoldersTop), holders.size()));
  source.prepare_each(shown, &Holder::stack, style.max_frames + 64);
  if (!holders.empty()) out.write("Pointed at from\n");
  for (const Holder& holder : shown) {
    if (!holder.is_block) {
      out.print("   {} ({})\n", escape_text(holder.place), words_text(holder));
      continue;
    }
    out.print("   blocks as the one of {} at {:#x}, at offset {} ({}), allocated at\n", format_bytes(holder.size),
              holder.example - holder.offset, holder.offset, words_text(holder));
    print_stack(out, trace, source, holder.stack, style);
  }
  if (shown.size() < holders.size())
    out.print("   ... and {} (--top 0 shows all)\n",
              count_of(holders.size() - shown.size(), "other kind of place", "other kinds of places"));
  if (way.blocks.empty()) return;
  out.print("\nThe shortest way there: {}\n",
            way.begin.empty() ? std::string("from a lost block") : "from " + escape_text(way.begin));
  for (const uint32_t block : way.blocks) {
    const LiveBlock& on_way = classes.memory().blocks[block];
    out.print("   {:#x}, {}, {}, allocated at\n", on_way.address, format_bytes(on_way.size),
              reach_name(classes.reach().of[block]));
    print_stack(out, trace, source, on_way.stack, style);
  }
}

Json document_of(const Trace& trace, const Classification& classes, const Targets& targets,
                 const std::vector<Holder>& holders, const Way& way, const char* schema, const ReportOptions& options) {
  FrameSource source(trace, options.symbols);
  Json document = {{"schema", schema}, {"classified", true}, {"chunks", targets.blocks}, {"bytes", targets.bytes}};
  for (const Reach reach : {Reach::definite, Reach::indirect, Reach::possible, Reach::reachable})
    document["reach"][reach_name(reach)] = targets.reach[static_cast<size_t>(reach)];
  Json& list = document["holders"] = Json::array();
  for (const Holder& holder : holders) {
    if (list.size() == options.top.value_or(SIZE_MAX)) break;
    Json entry = {{"words", holder.words}, {"interior", holder.interior}};
    if (holder.is_block) {
      entry["block"] = {{"address", fmt::format("{:#x}", holder.example - holder.offset)},
                        {"size", holder.size},
                        {"offset", holder.offset}};
      put_stack(entry, "stack", source, holder.stack, options);
    } else {
      entry["root"] = to_utf8(holder.place);
    }
    list.push_back(std::move(entry));
  }
  Json& path = document["path"] = {{"root", way.begin.empty() ? Json() : Json(to_utf8(way.begin))}};
  path["chunks"] = Json::array();
  for (const uint32_t block : way.blocks) {
    const LiveBlock& on_way = classes.memory().blocks[block];
    Json entry = {{"address", fmt::format("{:#x}", on_way.address)}, {"size", on_way.size}};
    put_stack(entry, "stack", source, on_way.stack, options);
    path["chunks"].push_back(std::move(entry));
  }
  return document;
}

}  // namespace

PointersResult report_leaks_pointers(const Trace& trace, const Classification& classes, const std::string& target,
                                     const ReportOptions& options, Output& out) {
  static constexpr const char* kSchema = "memprof.pointers/1";
  if (report_unclassified(classes, kSchema, options, out)) return {};
  PointersResult result;
  const std::vector<bool> is_target = find_targets(trace, classes, target, options, result.problem);
  if (!result.problem.empty()) return result;
  const Targets targets = sum_targets(classes, is_target);
  const std::vector<Holder> holders = HolderFinder(trace, classes.graph(), is_target).run();
  const Way way = shortest_way(trace, classes, is_target);
  if (options.json)
    print_json(out, document_of(trace, classes, targets, holders, way, kSchema, options));
  else
    print_text(trace, classes, targets, holders, way, options, out);
  return result;
}

}  // namespace memprof
