// Messages for stderr. A stderr that is closed or full is no reason to fail: the report is what counts.
#pragma once

#include <cstdio>
#include <string>

namespace memprof {

inline void say_on_stderr(const std::string& text) { std::fputs(text.c_str(), stderr); }

}  // namespace memprof
