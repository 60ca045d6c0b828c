// What the loader and the C library keep for themselves: nobody's leak, whatever it looks like.
#pragma once

#include <string_view>

namespace memprof {

// In valgrind's syntax; of the file SuppressionUse::kBuiltIn. Told where they are used, and never stale.
std::string_view builtin_suppressions();

}  // namespace memprof
