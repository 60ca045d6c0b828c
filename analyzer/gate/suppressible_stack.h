// The stack of a finding as the other tools would have recorded it: theirs begin with the allocating function,
// memprof's with its caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gate/verdict.h"

namespace memprof {

// Views into the finding.
struct SuppressibleFrame {
  // As tools print it: linkage name, readable name; of an allocator all its variants. Never none.
  std::vector<std::string> functions = {};
  // As people write it, and as valgrind has it.
  std::vector<std::string> other_functions = {};
  std::string_view file = {};  // empty: unknown
  uint32_t line = 0;
  std::string_view module = {};  // empty: unknown
  bool is_allocator = false;     // the function that the program called; which library that was in, nobody knows
};

struct SuppressibleStack {
  std::vector<SuppressibleFrame> frames = {};  // innermost first
  // valgrind's stack may begin at any of the frames up to this, the other tools' begin here: valgrind's calloc is one
  // function, its realloc may call its malloc.
  size_t last_begin = 0;
  // valgrind's functions that the allocator may have ended in by a jump: they stand in its place then.
  std::vector<std::string> jumped_to = {};
};

inline constexpr std::string_view kUnknownName = "???";  // valgrind's

// Of the allocation.
SuppressibleStack allocation_stack(const Finding& finding);
// Of what freed it. Without frames where the trace has no stacks of frees.
SuppressibleStack free_stack(const Finding& finding);

// The name that an inlined function has in the source, which is all that valgrind knows of it: of
// "int ns::f<char>(int)" "f", with its template arguments "f<char>".
std::string source_name(std::string_view demangled);
std::string source_name_with_arguments(std::string_view demangled);

// The name that a suppression for valgrind gives the allocating function: a pattern.
struct AllocatorPattern {
  std::string_view function;
  bool may_call_another = false;  // so that another frame may come first
};
AllocatorPattern allocator_pattern(std::string_view allocator);

}  // namespace memprof
