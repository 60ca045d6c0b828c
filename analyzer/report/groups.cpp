#include "report/groups.h"

#include <fmt/format.h>

#include <algorithm>

namespace memprof {

namespace {

struct GroupInfo {
  GroupBy by;
  const char* name;
};
constexpr GroupInfo kGroups[] = {
    {GroupBy::stack, "stack"},         {GroupBy::function, "function"}, {GroupBy::file, "file"},
    {GroupBy::module, "module"},       {GroupBy::thread, "thread"},     {GroupBy::tag, "tag"},
    {GroupBy::allocator, "allocator"}, {GroupBy::domain, "domain"},     {GroupBy::type, "type"},
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

std::string_view group_names() { return "stack, function, file, module, thread, tag, allocator, domain, type"; }

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

}  // namespace memprof
