#include "report/block_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/block_type.h"
#include "report/frame_text.h"

namespace memprof {

BlockGroups::BlockGroups(const Trace& trace, GroupBy by, const SymbolOptions& symbols)
    : trace_(trace), by_(by), source_(trace, symbols) {
  switch (by) {
    case GroupBy::stack:
    case GroupBy::thread: return;
    case GroupBy::function:
    case GroupBy::file:
    case GroupBy::module: group_by_frames(); return;
    case GroupBy::type: group_by_types(); return;
    case GroupBy::tag:
    case GroupBy::allocator:
    case GroupBy::domain: group_by_tags(); return;
  }
}

// A thread has at least one stream of its own.
size_t BlockGroups::count() const {
  return by_ == GroupBy::thread ? trace_.file.streams(format::StreamKind::events).size() : names_.size();
}

uint32_t BlockGroups::of(StackId stack, uint16_t tag, uint32_t thread) const {
  if (by_ == GroupBy::thread) return thread;
  if (!of_tag_.empty()) return of_tag_[tag];
  return of_stack_[stack < of_stack_.size() ? stack : StackNodes::kLostStack];
}

std::optional<uint32_t> BlockGroups::of_type(uint32_t type) const {
  const auto found = of_type_.find(type);
  return found == of_type_.end() ? std::nullopt : std::optional(found->second);
}

BlockGroups::Name BlockGroups::name(uint32_t group, const std::vector<Thread>& threads) const {
  return by_ == GroupBy::thread ? Name{thread_label(trace_, threads[group]), {}} : names_[group];
}

uint32_t BlockGroups::index_of(const Name& name) {
  const auto [found, is_new] = indices_.try_emplace({name.name, name.module}, static_cast<uint32_t>(names_.size()));
  if (is_new) names_.push_back(name);
  return found->second;
}

BlockGroups::Name BlockGroups::name_of(const Frame& frame) const {
  const std::string module(frame.module.empty() ? std::string_view("(no module)") : frame.module);
  if (by_ == GroupBy::module) return {module, {}};
  if (by_ == GroupBy::file)
    return {frame.file.empty() ? fmt::format("(no file known) {}", module) : std::string(frame.file), {}};
  if (!frame.function.empty()) return {std::string(frame.function), std::string(frame.module)};
  if (frame.module.empty()) return {fmt::format("{:#x}", frame.offset), {}};
  return {fmt::format("{}+{:#x}", base_name(frame.module), frame.offset), std::string(frame.module)};
}

void BlockGroups::group_by_frames() {
  source_.prepare_all();
  constexpr uint32_t kNone = UINT32_MAX;
  const StackId limit = trace_.nodes.id_limit();
  const uint32_t no_stack = index_of({"(no stack)", {}}), lost = index_of({"(stack lost)", {}});
  of_stack_.assign(limit, lost);                   // what a stack that begins with this frame counts for
  std::vector<uint32_t> outside_of(limit, kNone);  // its innermost frame outside the C++ library
  for (const StackId root : {format::kNoStack, format::kRootWhole, format::kRootDepthLimit, format::kRootGaveUp})
    of_stack_[root] = no_stack;
  // A parent's id is lower than its children's.
  for (StackId id = format::kFirstNode; id < limit; ++id) {
    if (!trace_.nodes.is_frame(id)) continue;
    const std::vector<Frame> frames = source_.frames(id, 1);
    const auto outside =
        std::find_if(frames.begin(), frames.end(), [](const Frame& frame) { return !is_library_plumbing(frame); });
    outside_of[id] = outside == frames.end() ? outside_of[trace_.nodes.node(id).parent] : index_of(name_of(*outside));
    of_stack_[id] = outside_of[id] == kNone ? index_of(name_of(frames.front())) : outside_of[id];
  }
}

void BlockGroups::group_by_types() {
  source_.prepare_all();
  const uint32_t untyped = index_of({"(untyped)", {}});
  const StackId limit = trace_.nodes.id_limit();
  of_stack_.assign(limit, untyped);
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
    if (type)
      of_stack_[id] = index_of({*type, {}});
    else if (is_in_library)
      of_stack_[id] = of_stack_[trace_.nodes.node(id).parent];
  }
  types_.emplace(trace_.file, trace_.metadata);
  for (const auto& [type, name] : types_->names()) of_type_.emplace(type, index_of({name, {}}));
}

BlockGroups::Name BlockGroups::name_of_tag(uint16_t tag) const {
  const Domains& domains = trace_.domains;
  if (by_ == GroupBy::domain) return {domains.all()[domains.tag(tag).domain].name, {}};
  if (by_ == GroupBy::allocator) return {domains.function_name(tag), {}};
  const std::string user = domains.user_tag(tag);
  return {user.empty() ? "(no tag)" : user, {}};
}

void BlockGroups::group_by_tags() {
  for (size_t tag = 0; tag <= UINT16_MAX; ++tag) of_tag_.push_back(index_of(name_of_tag(static_cast<uint16_t>(tag))));
}

}  // namespace memprof
