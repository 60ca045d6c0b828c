#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>

#include "report/call_tree.h"
#include "report/csv.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/name_pattern.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_groups.h"
#include "report/site_list.h"

namespace memprof {

namespace {

constexpr double kMinPercent = 1;

constexpr size_t kMostIndent = 44;

// What the sites are where trees begin with groups: pairs of a group and a stack.
struct GroupedStacks {
  GroupedStacks(Trace& trace, const ReportOptions& options, ProgressSink* progress)
      : groups(trace, options.group, options.symbols), pairs(trace, groups, PairedSites::With::stack, progress) {}

  const BlockGroups groups;
  const PairedSites pairs;
};

class TreeReport {
 public:
  // `grouped`: null for trees of frames alone.
  TreeReport(const Analysis& analysis, const Account* account, const SiteTallies* tallies, const GroupedStacks* grouped,
             const ReportOptions& options, Output& out)
      : analysis_(analysis),
        account_(account),
        grouped_(grouped),
        options_(options),
        out_(out),
        source_(analysis.trace, options.symbols),
        callers_(parse_callers(options.callers)),
        paths_(
            analysis.trace, source_, [&](std::string_view name) { return is_called_for(name); },
            options.hidden_frames) {
    if (account) add_sites(*account, tallies);
    CallTree::Limits limits;
    limits.min_value = min_value_ =
        options.min_percent.value_or(kMinPercent) / 100 * static_cast<double>(tree_.total());
    if (options.top) limits.max_children = *options.top;
    if (options.max_frames) limits.max_depth = *options.max_frames + (grouped ? 1 : 0);
    result_ = tree_.build(paths_, limits);
  }

  // Nobody called the function that was asked for.
  bool lacks_function() const { return !options_.callers.empty() && !has_function_; }
  std::vector<std::string> function_names() const {
    std::vector<std::string> names;
    for (const PathFunction& function : paths_.functions()) names.emplace_back(without_parameters(function.name));
    return names;
  }

  void print_text();
  void print_json_document();
  void print_csv();

 private:
  static std::optional<NamePattern> parse_callers(const std::string& text) {
    std::string problem;  // the command line has looked
    return text.empty() ? std::nullopt : std::optional(NamePattern::parse(text, problem));
  }
  bool is_called_for(std::string_view name) const { return callers_ && callers_->matches_function(name); }
  bool is_bottom_up() const { return !options_.callers.empty() || options_.direction == TreeDirection::bottom_up; }
  const char* direction() const {
    return !options_.callers.empty() ? "callers" : is_bottom_up() ? "bottom-up" : "top-down";
  }
  void add_sites(const Account& account, const SiteTallies* tallies);
  StackId stack_of(const Site& site) const { return grouped_ ? grouped_->pairs.pair_of(site.stack).other : site.stack; }
  // What a path begins with.
  uint32_t group_of(const Site& site);
  bool is_group(const CallTreeNode& node) const { return grouped_ && node.depth == 0; }
  std::vector<uint32_t> shown_of(const std::vector<uint32_t>& frames) const;
  std::string describe(const CallTreeNode& node, size_t columns) const;
  // "12 MB, bytes open at the end", "5,000 allocations"
  std::string amount_text(const std::string& amount) const {
    const bool is_count = rank_info(options_.by).unit == RankUnit::blocks;
    return fmt::format("{}{} {}", amount, is_count ? "" : ",", describe_rank(options_.by, analysis_.trace));
  }
  void print_left_out(uint32_t count, uint64_t value, const std::string& indent);

  const Analysis& analysis_;
  const Account* account_;
  const GroupedStacks* const grouped_;
  const ReportOptions& options_;
  Output& out_;
  FrameSource source_;
  const std::optional<NamePattern> callers_;
  FunctionPaths paths_;
  std::map<uint32_t, uint32_t> functions_of_groups_;
  CallTree tree_;
  CallTree::Result result_;
  double min_value_ = 0;
  uint64_t all_ = 0;  // of all sites, those without the function asked for too
  bool has_function_ = false;
};

std::vector<uint32_t> TreeReport::shown_of(const std::vector<uint32_t>& frames) const {
  std::vector<uint32_t> result;
  for (size_t i = 0; i < frames.size(); ++i) {
    const bool is_library = paths_.function(frames[i]).is_library;
    const bool is_followed = i + 1 < frames.size() && paths_.function(frames[i + 1]).is_library;
    if ((!is_library || !is_followed) && !paths_.function(frames[i]).is_hidden) result.push_back(frames[i]);
  }
  return result;
}

uint32_t TreeReport::group_of(const Site& site) {
  const uint32_t group = grouped_->pairs.pair_of(site.stack).group;
  const auto known = functions_of_groups_.find(group);
  if (known != functions_of_groups_.end()) return known->second;
  const BlockGroups::Name name = grouped_->groups.name(group, analysis_.threads);
  return functions_of_groups_.emplace(group, paths_.add_group(name.name, name.module)).first->second;
}

void TreeReport::add_sites(const Account& account, const SiteTallies* tallies) {
  std::vector<StackId> stacks;
  for (const Site& site : account.sites.all())
    if (!options_.callers.empty() || rank_value(site, options_.by, tallies) != 0) stacks.push_back(stack_of(site));
  source_.prepare(stacks);
  for (const Site& site : account.sites.all()) {
    const uint64_t value = rank_value(site, options_.by, tallies);
    all_ += value;
    if (value == 0 && options_.callers.empty()) continue;
    std::vector<uint32_t> frames = shown_of(paths_.frames_of(stack_of(site)));
    if (!options_.callers.empty()) {
      // From the innermost call outward: what called it again is folded into it.
      const auto call = std::find_if(frames.begin(), frames.end(),
                                     [&](uint32_t function) { return is_called_for(paths_.function(function).name); });
      if (call == frames.end()) continue;
      has_function_ = true;
      if (value == 0) continue;
      frames.erase(frames.begin(), call);
    }
    if (!is_bottom_up()) std::reverse(frames.begin(), frames.end());
    std::vector<PathStep> path = paths_.fold(frames);
    if (grouped_) path.insert(path.begin(), {group_of(site), 1});
    tree_.add(path, value);
  }
}

std::string TreeReport::describe(const CallTreeNode& node, size_t columns) const {
  const PathFunction& function = paths_.function(node.function);
  std::string tail = node.times > 1 ? fmt::format("  x{}", node.times) : "";
  tail += module_note(function.name, function.module);
  const size_t taken = text_width(tail);
  const size_t room = std::max<size_t>(columns > taken ? columns - taken : 0, 20);
  return cut_text(shorten_function(escape_text(function.name), room) + tail, columns);
}

void TreeReport::print_left_out(uint32_t count, uint64_t value, const std::string& indent) {
  out_.print("  {:>10} {:>8} {:>10}  {}... {}\n", format_rank(value, options_.by),
             format_share(static_cast<double>(value), static_cast<double>(tree_.total())), "", indent,
             count_of(count, "smaller one", "smaller ones"));
}

// A node that is its parent's only child stands below it at the same indent: only forks go to the right.
void TreeReport::print_text() {
  if (tree_.total() == 0) {
    if (options_.callers.empty())
      out_.print("Nothing to show: no stack of {} has any {}.\n", domains_text(options_.domain),
                 describe_rank(options_.by, analysis_.trace));
    else if (!has_function_)
      out_.print("Nothing: {} is on no stack of what is left in {}.\n", escape_text(options_.callers),
                 domains_text(options_.domain));
    else
      out_.print("{} is on stacks of {}, but none of them has any {}.\n", escape_text(options_.callers),
                 domains_text(options_.domain), describe_rank(options_.by, analysis_.trace));
    print_why_empty(out_, analysis_.trace, options_);
    return;
  }
  if (options_.callers.empty())
    out_.print("{}: {}\n", is_bottom_up() ? "Bottom up" : "Top down", amount_text(format_rank(all_, options_.by)));
  else
    out_.print("Callers of {}: {} of {}\n", escape_text(options_.callers), format_rank(tree_.total(), options_.by),
               amount_text(format_rank(all_, options_.by)));
  print_selection(out_, analysis_.trace, options_);
  if (grouped_) out_.print("by {}, and of each: ", group_name(options_.group));
  out_.print("{}\n", is_bottom_up() ? "each line was called by the one below it; xN: N times on one stack"
                                    : "each line calls the one below it; xN: N times on one stack");
  const double least = options_.min_percent.value_or(kMinPercent);
  if (least > 0) out_.print("what has less than {:g} % is left out (--min-percent)\n", least);
  out_.write("\n");
  out_.print("  {:>10} {:>8} {:>10}\n", "total", "", is_bottom_up() ? "ends here" : "own");

  struct Level {
    std::string indent;   // of what lies below the node
    uint32_t open_forks;  // children yet to come
    bool is_fork;
  };
  std::vector<uint32_t> children(result_.nodes.size());
  uint32_t roots = 0;
  for (const CallTreeNode& node : result_.nodes)
    ++(node.parent == CallTreeNode::kNoParent ? roots : children[node.parent]);
  // What was left out has a line where it weighs as much as a node must; a line for every crumb would hide the tree.
  const auto shows_left_out = [&](uint32_t count, uint64_t value) {
    return count != 0 && static_cast<double>(value) >= min_value_;
  };
  const auto level_of = [](std::string indent, uint32_t count, bool has_left_out) {
    return Level{std::move(indent), count + has_left_out, count + has_left_out > 1};
  };
  std::vector<Level> levels = {level_of("", roots, shows_left_out(result_.left_out, result_.left_out_value))};
  const auto indent_of_child = [](Level& level) {
    --level.open_forks;
    return std::pair(level.is_fork ? level.indent + "+-" : level.indent,
                     level.is_fork ? level.indent + (level.open_forks != 0 ? "| " : "  ") : level.indent);
  };
  // What was left out of a node comes after its last child.
  std::vector<std::pair<uint32_t, uint64_t>> left_out = {{result_.left_out, result_.left_out_value}};
  const auto clip = [](const std::string& indent) {
    return indent.size() <= kMostIndent ? indent : ".." + indent.substr(indent.size() - kMostIndent + 2);
  };
  const auto close_levels = [&](size_t depth) {
    while (levels.size() > depth) {
      if (shows_left_out(left_out.back().first, left_out.back().second))
        print_left_out(left_out.back().first, left_out.back().second, clip(indent_of_child(levels.back()).first));
      levels.pop_back();
      left_out.pop_back();
    }
  };
  for (size_t i = 0; i < result_.nodes.size(); ++i) {
    const CallTreeNode& node = result_.nodes[i];
    close_levels(node.depth + size_t{1});
    const auto [indent, below] = indent_of_child(levels.back());
    const std::string shown = clip(indent);
    out_.print("  {:>10} {:>8} {:>10}  {}{}\n", format_rank(node.value, options_.by),
               format_share(static_cast<double>(node.value), static_cast<double>(tree_.total())),
               node.self != 0 ? format_rank(node.self, options_.by) : "", shown,
               describe(node, kTextColumns - 34 - shown.size()));
    levels.push_back(level_of(below, children[i], shows_left_out(node.left_out, node.left_out_value)));
    left_out.emplace_back(node.left_out, node.left_out_value);
  }
  close_levels(0);
  for (const std::string& problem : source_.symbol_problems())
    out_.print("symbols missing: {}\n", cut_text(problem, kTextColumns - 17));
}

void TreeReport::print_json_document() {
  Json document = {{"schema", "memprof.tree/1"},
                   {"by", rank_info(options_.by).name},
                   {"group", group_name(options_.group)},
                   {"direction", direction()},
                   {"callers_of", options_.callers.empty() ? Json() : Json(to_utf8(options_.callers))},
                   {"domain", to_utf8(options_.domain)},
                   {"complete", analysis_.trace.file.complete()},
                   {"total", all_},
                   {"tree_total", tree_.total()},
                   {"min_percent", options_.min_percent.value_or(kMinPercent)},
                   {"left_out", {{"nodes", result_.left_out}, {"value", result_.left_out_value}}}};
  put_selection(document, analysis_, options_, account_);
  // Flat: a reader of nested JSON may not survive the depth that a stack can have.
  Json& nodes = document["nodes"] = Json::array();
  for (const CallTreeNode& node : result_.nodes) {
    const PathFunction& function = paths_.function(node.function);
    nodes.push_back({{"parent", node.parent == CallTreeNode::kNoParent ? Json() : Json(node.parent)},
                     {"depth", node.depth},
                     {"function", to_utf8(function.name)},
                     {"module", function.module.empty() ? Json() : Json(to_utf8(function.module))},
                     {"times", node.times},
                     {"value", node.value},
                     {"self", node.self},
                     {"left_out", {{"nodes", node.left_out}, {"value", node.left_out_value}}}});
    if (!is_group(node)) continue;
    nodes.back()["function"] = nodes.back()["module"] = nullptr;
    nodes.back()["group"] = name_json(options_.group, {function.name, function.module});
  }
  print_json(out_, document);
}

void TreeReport::print_csv() {
  CsvTable table(out_, {"node", "parent", "depth", "value", "self", "times", "function", "module", "group"});
  for (size_t i = 0; i < result_.nodes.size(); ++i) {
    const CallTreeNode& node = result_.nodes[i];
    const PathFunction& function = paths_.function(node.function);
    table.field(i);
    node.parent == CallTreeNode::kNoParent ? table.empty_field() : table.field(node.parent);
    const std::string none;
    table.row(node.depth, node.value, node.self, node.times, is_group(node) ? none : function.name, function.module,
              is_group(node) ? function.name : none);
  }
}

}  // namespace

TreeResult report_tree(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress,
                       std::vector<std::string>* functions) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return TreeResult::no_domain;
  std::optional<GroupedStacks> grouped;
  if (options.group != GroupBy::stack) grouped.emplace(trace, options, progress);
  std::optional<SiteTallies> tallies;
  if (rank_info(options.by).needs_tallies) tallies.emplace(trace, *domains);
  const Analysis analysis = analyse(trace, tallies ? &*tallies : nullptr, progress);
  TreeReport report(analysis, analysis.account(*domains), tallies ? &*tallies : nullptr, grouped ? &*grouped : nullptr,
                    options, out);
  // With filters it may be on a stack that is left out.
  if (report.lacks_function() && !options.filters.choose()) {
    if (functions) *functions = report.function_names();
    return TreeResult::no_function;
  }
  if (options.json)
    report.print_json_document();
  else if (options.csv)
    report.print_csv();
  else
    report.print_text();
  return TreeResult::done;
}

}  // namespace memprof
