// Messages for stderr. A stderr that is closed or full is no reason to fail: the report is what counts.
#pragma once

#include <cstdio>
#include <string>

#include "cli/exit_status.h"
#include "report/escape.h"

namespace memprof {

inline void say_on_stderr(const std::string& text) { std::fputs(text.c_str(), stderr); }

// Of an option or an argument: says why it cannot be done. `message` is escaped here.
inline int refuse(const std::string& message) {
  say_on_stderr("memprof-analyze: " + escape_text(message) + "\n");
  return kUsageError;
}

}  // namespace memprof
