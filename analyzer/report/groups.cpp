#include "report/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "report/block_type.h"
#include "report/frame_text.h"

namespace memprof {

namespace {

struct GroupInfo {
  GroupBy by;
  const char* name;
};
constexpr GroupInfo kGroups[] = {
    {GroupBy::stack, "stack"},   {GroupBy::function, "function"}, {GroupBy::file, "file"}, {GroupBy::module, "module"},
    {GroupBy::thread, "thread"}, {GroupBy::tag, "tag"},           {GroupBy::type, "type"},
};

}  // namespace

const char* group_name(GroupBy by) {
  return std::find_if(std::begin(kGroups), std::end(kGroups), [&](const GroupInfo& info) { return info.by == by; })
      ->name;
}

std::optional<GroupBy> parse_group(std::string_view name) {
  for (const GroupInfo& info : kGroups)
    if (name == info.name) return info.by;
  return std::nullopt;
}

std::string_view group_names() { return "stack, function, file, module, thread, tag, type"; }

std::string thread_name(const Trace& trace, const Thread& thread) {
  const auto& names = trace.metadata.thread_names;
  const auto last = std::find_if(names.rbegin(), names.rend(),
                                 [&](const Metadata::ThreadName& n) { return n.thread_serial == thread.serial; });
  return last == names.rend() ? std::string() : last->name;
}

std::string thread_label(const Trace& trace, const Thread& thread) {
  const std::string name = thread_name(trace, thread);
  return fmt::format("{}{}{} ({})", thread.serial, name.empty() ? "" : " ", name, thread.id);
}

SiteGroups::SiteGroups(Trace& trace, GroupBy by, const SymbolOptions& symbols)
    : trace_(trace), by_(by), source_(trace, symbols) {
  switch (by) {
    case GroupBy::stack: return;
    case GroupBy::function:
    case GroupBy::file:
    case GroupBy::module: group_by_frames(); return;
    case GroupBy::type: group_by_types(); return;
    case GroupBy::thread:
      // A thread has at least one stream of its own.
      first_ = trace.nodes.add_groups(trace.file.streams(format::StreamKind::events).size());
      trace.site_keys = {SiteKeys::By::thread, first_};
      return;
    case GroupBy::tag:
      first_ = trace.nodes.add_groups(size_t{UINT16_MAX} + 1);
      trace.site_keys = {SiteKeys::By::tag, first_};
      return;
  }
}

SiteGroups::Name SiteGroups::name_of(const Frame& frame) const {
  const std::string module(frame.module.empty() ? std::string_view("(no module)") : frame.module);
  if (by_ == GroupBy::module) return {module, {}};
  if (by_ == GroupBy::file)
    return {frame.file.empty() ? fmt::format("(no file known) {}", module) : std::string(frame.file), {}};
  if (!frame.function.empty()) return {std::string(frame.function), std::string(frame.module)};
  if (frame.module.empty()) return {fmt::format("{:#x}", frame.offset), {}};
  return {fmt::format("{}+{:#x}", base_name(frame.module), frame.offset), std::string(frame.module)};
}

SiteGroups::~SiteGroups() {
  trace_.site_keys = {};
  trace_.sites_of_types.reset();
  trace_.nodes.ungroup_stacks();
}

void SiteGroups::group_by_frames() {
  source_.prepare_all();
  Trace& trace = trace_;
  std::map<std::pair<std::string, std::string>, StackId> indices;
  const auto index_of = [&](const Name& name) {
    const auto [found, is_new] = indices.try_emplace({name.name, name.module}, static_cast<StackId>(names_.size()));
    if (is_new) names_.push_back(name);
    return found->second;
  };
  constexpr StackId kNone = UINT32_MAX;
  const StackId limit = trace.nodes.id_limit();
  const StackId no_stack = index_of({"(no stack)", {}}), lost = index_of({"(stack lost)", {}});
  std::vector<StackId> group_of(limit, lost);     // what a stack that begins with this frame counts for
  std::vector<StackId> outside_of(limit, kNone);  // its innermost frame outside the C++ library
  for (const StackId root : {format::kNoStack, format::kRootWhole, format::kRootDepthLimit, format::kRootGaveUp})
    group_of[root] = no_stack;
  // A parent's id is lower than its children's.
  for (StackId id = format::kFirstNode; id < limit; ++id) {
    if (!trace.nodes.is_frame(id)) continue;
    const std::vector<Frame> frames = source_.frames(id, 1);
    const auto outside =
        std::find_if(frames.begin(), frames.end(), [](const Frame& frame) { return !is_library_plumbing(frame); });
    outside_of[id] = outside == frames.end() ? outside_of[trace.nodes.node(id).parent] : index_of(name_of(*outside));
    group_of[id] = outside_of[id] == kNone ? index_of(name_of(frames.front())) : outside_of[id];
  }
  finish_groups(group_of);
}

void SiteGroups::group_by_types() {
  source_.prepare_all();
  std::map<std::string, StackId> indices = {{"(untyped)", 0}};
  names_ = {{"(untyped)", {}}};
  const StackId limit = trace_.nodes.id_limit();
  std::vector<StackId> group_of(limit, 0);
  for (StackId id = format::kFirstNode; id < limit; ++id) {
    if (!trace_.nodes.is_frame(id)) continue;
    // The program's own frames say nothing about the blocks of the library's frames inside them.
    std::optional<std::string> type;
    bool is_in_library = true;
    for (const Frame& frame : source_.frames(id, 1)) {
      type = block_type_of(frame.function);
      is_in_library = is_library_plumbing(frame);
      if (type || !is_in_library) break;
    }
    if (type) {
      const auto [found, is_new] = indices.try_emplace(*type, static_cast<StackId>(names_.size()));
      if (is_new) names_.push_back({*type, {}});
      group_of[id] = found->second;
    } else if (is_in_library) {
      group_of[id] = group_of[trace_.nodes.node(id).parent];
    }
  }
  types_.emplace(trace_.file, trace_.metadata);
  Trace::SitesOfTypes given{&*types_, {}};
  for (const auto& [type, name] : types_->names()) {
    const auto [found, is_new] = indices.try_emplace(name, static_cast<StackId>(names_.size()));
    if (is_new) names_.push_back({name, {}});
    given.site_of.emplace(type, found->second);
  }
  finish_groups(group_of);
  for (auto& [type, site] : given.site_of) site += first_;
  if (!given.site_of.empty()) trace_.sites_of_types = std::move(given);
}

void SiteGroups::finish_groups(std::vector<StackId>& group_of) {
  first_ = trace_.nodes.add_groups(names_.size());
  for (StackId& group : group_of) group += first_;
  trace_.nodes.group_stacks(group_of);
}

SiteGroups::Name SiteGroups::name(const Analysis& analysis, StackId site) const {
  const StackId index = site - first_;
  if (by_ == GroupBy::thread) return {thread_label(analysis.trace, analysis.threads[index]), {}};
  if (by_ == GroupBy::tag) return {analysis.trace.domains.tag_name(static_cast<uint16_t>(index)), {}};
  return names_[index];
}

}  // namespace memprof
