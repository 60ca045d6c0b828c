// The part of a function's name that outlives an edit, another compiler and another optimisation level.
#pragma once

#include <string>
#include <string_view>

namespace memprof {

// `demangled` without return type, parameters, template arguments, ABI tags, the suffixes of clones (.part.0, .isra.0,
// .constprop.0, .cold, .llvm.123, ...) and the numbers of closures. The body of a C++ lambda is "{lambda}". Start-up
// code of a source file is
// "(static initialization)" whatever the compiler calls it. Never throws on odd text; what it cannot read it keeps.
std::string canonical_function(std::string_view demangled);

// "/usr/lib/libfoo.so.1.2" is "libfoo.so": for frames without a function.
std::string_view canonical_module(std::string_view path);

}  // namespace memprof
