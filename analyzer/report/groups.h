// What blocks can be taken together by: a function, a file, a module, a thread, a tag, ...
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/analysis.h"

namespace memprof {

enum class GroupBy { stack, function, file, module, thread, tag, allocator, domain, type };

const char* group_name(GroupBy by);
std::optional<GroupBy> parse_group(std::string_view name);
// "stack, function, ..."
std::string_view group_names();

// "2 worker (4243)": serial, name where the program gave one, the kernel's id. Raw bytes.
std::string thread_label(const Trace& trace, const Thread& thread);
std::string thread_name(const Trace& trace, const Thread& thread);

}  // namespace memprof
