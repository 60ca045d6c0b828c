#include "gate/suppressible_stack.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "model/fingerprint_name.h"
#include "report/name_pattern.h"

namespace memprof {

namespace {

// size_t is m on 64-bit machines and j on 32-bit ones.
struct Spellings {
  std::string_view tag;
  std::initializer_list<std::string_view> functions;
};
const Spellings kSpellings[] = {
    {"new",
     {"_Znwm", "_ZnwmRKSt9nothrow_t", "_ZnwmSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t", "_Znwj",
      "_ZnwjRKSt9nothrow_t", "operator new(unsigned long)", "operator new(unsigned long, std::nothrow_t const&)",
      "operator new(unsigned long, std::align_val_t)",
      "operator new(unsigned long, std::align_val_t, std::nothrow_t const&)", "operator new", "__builtin_new"}},
    {"new[]",
     {"_Znam", "_ZnamRKSt9nothrow_t", "_ZnamSt11align_val_t", "_ZnamSt11align_val_tRKSt9nothrow_t", "_Znaj",
      "_ZnajRKSt9nothrow_t", "operator new[](unsigned long)", "operator new[](unsigned long, std::nothrow_t const&)",
      "operator new[](unsigned long, std::align_val_t)",
      "operator new[](unsigned long, std::align_val_t, std::nothrow_t const&)", "operator new[]", "__builtin_vec_new"}},
    {"delete",
     {"_ZdlPv", "_ZdlPvm", "_ZdlPvRKSt9nothrow_t", "_ZdlPvSt11align_val_t", "_ZdlPvmSt11align_val_t",
      "_ZdlPvSt11align_val_tRKSt9nothrow_t", "operator delete(void*)", "operator delete(void*, unsigned long)",
      "operator delete(void*, std::nothrow_t const&)", "operator delete(void*, std::align_val_t)",
      "operator delete(void*, unsigned long, std::align_val_t)", "operator delete", "__builtin_delete"}},
    {"delete[]",
     {"_ZdaPv", "_ZdaPvm", "_ZdaPvRKSt9nothrow_t", "_ZdaPvSt11align_val_t", "_ZdaPvmSt11align_val_t",
      "_ZdaPvSt11align_val_tRKSt9nothrow_t", "operator delete[](void*)", "operator delete[](void*, unsigned long)",
      "operator delete[](void*, std::nothrow_t const&)", "operator delete[](void*, std::align_val_t)",
      "operator delete[](void*, unsigned long, std::align_val_t)", "operator delete[]", "__builtin_vec_delete"}},
};

// What may stand before it or in its place on valgrind's stacks, innermost first: its replacements, and glibc, call and
// jump to each other.
struct Callees {
  std::string_view tag;
  std::initializer_list<std::string_view> functions;
};
const Callees kCallees[] = {
    {"realloc", {"malloc"}},         {"reallocarray", {"malloc", "realloc"}},
    {"aligned_alloc", {"memalign"}}, {"posix_memalign", {"memalign"}},
    {"valloc", {"memalign"}},        {"pvalloc", {"memalign"}},
};

template <class Table>
const auto* row_of(const Table& table, std::string_view tag) {
  const auto* const found =
      std::find_if(std::begin(table), std::end(table), [&](const auto& row) { return row.tag == tag; });
  return found == std::end(table) ? nullptr : found;
}

SuppressibleFrame frame_of_tag(std::string_view tag) {
  SuppressibleFrame frame{.is_allocator = true};
  if (const Spellings* const row = row_of(kSpellings, tag))
    frame.functions.assign(row->functions.begin(), row->functions.end());
  else
    frame.functions.emplace_back(tag.empty() ? kUnknownName : tag);
  return frame;
}

// valgrind calls all that leads to main so, unless it is told not to.
constexpr std::string_view kBelowMain = "(below main)";
bool is_below_main(std::string_view function) {
  return function == "_start" || function.starts_with("__libc_start_") || function.starts_with("generic_start_main");
}

// Under valgrind there is no clone3.
bool is_clone(std::string_view function) { return function == "clone3" || function == "__clone3"; }

SuppressibleFrame frame_of(const FindingFrame& frame) {
  SuppressibleFrame out{.file = frame.file, .line = frame.line, .module = frame.module};
  for (const std::string& name : {frame.linkage_name, frame.function})
    if (!name.empty()) out.functions.push_back(name);
  if (out.functions.empty()) out.functions.emplace_back(kUnknownName);
  const auto add = [&](std::string_view name) { out.other_functions.emplace_back(name); };
  add(without_parameters(frame.function));
  add(canonical_function(frame.function));
  if (frame.is_inlined) {
    add(source_name(frame.function));
    add(source_name_with_arguments(frame.function));
  }
  if (is_clone(frame.function)) add("clone");
  if (is_below_main(frame.function)) add(kBelowMain);
  std::erase(out.other_functions, "");  // would be a name that `fun:` means
  return out;
}

SuppressibleStack stack_of(std::string_view tag, const std::vector<FindingFrame>& frames) {
  SuppressibleStack stack;
  if (const Callees* const row = row_of(kCallees, tag))
    stack.jumped_to.assign(row->functions.begin(), row->functions.end());
  for (const std::string& function : stack.jumped_to)
    stack.frames.push_back({.functions = {function}, .is_allocator = true});
  stack.frames.push_back(frame_of_tag(tag));
  stack.last_begin = stack.frames.size() - 1;
  for (const FindingFrame& frame : frames) stack.frames.push_back(frame_of(frame));
  return stack;
}

bool is_operator_new(const FindingFrame& frame) {
  return frame.function.starts_with("operator new") || frame.linkage_name.starts_with("_Znw") ||
         frame.linkage_name.starts_with("_Zna");
}

}  // namespace

SuppressibleStack allocation_stack(const Finding& finding) {
  SuppressibleStack stack = stack_of(finding.allocator, finding.frames);
  // libstdc++ linked statically: memprof saw the malloc of an operator new that valgrind replaces.
  if (!finding.frames.empty() && is_operator_new(finding.frames.front())) ++stack.last_begin;
  return stack;
}

SuppressibleStack free_stack(const Finding& finding) { return stack_of(finding.free_function, finding.free_frames); }

std::string source_name(std::string_view demangled) {
  const std::string canonical = canonical_function(demangled);
  const size_t scope = canonical.rfind("::");
  std::string name = scope == std::string::npos ? canonical : canonical.substr(scope + 2);
  return name == "{lambda}" ? "operator()" : name;
}

std::string source_name_with_arguments(std::string_view demangled) {
  std::string name = source_name(demangled);
  const size_t begin = name.starts_with("operator") ? std::string_view::npos : demangled.find(name + '<');
  if (begin == std::string_view::npos) return name;
  size_t end = begin + name.size();
  int depth = 0;
  do {
    if (demangled[end] == '<') ++depth;
    if (demangled[end] == '>') --depth;
  } while (++end < demangled.size() && depth != 0);
  return std::string(demangled.substr(begin, end - begin));
}

AllocatorPattern allocator_pattern(std::string_view allocator) {
  if (allocator == "new") return {"_Znwm*"};
  if (allocator == "new[]") return {"_Znam*"};
  return {allocator, row_of(kCallees, allocator) != nullptr};
}

}  // namespace memprof
