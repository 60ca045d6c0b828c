// Readers of the formats that are not ours: validators and parsers, run as programs.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>

#include "new_directory.h"
#include "skip.h"

namespace memprof::test {

struct ToolResult {
  int status = -1;
  std::string output;  // of both streams
};

// `command`: for the shell.
inline ToolResult run_tool(const std::string& command) {
  std::FILE* pipe = ::popen(("(" + command + ") 2>&1 </dev/null").c_str(), "r");
  if (!pipe) throw std::runtime_error("popen failed");
  ToolResult result;
  char buffer[4096];
  while (const size_t count = std::fread(buffer, 1, sizeof(buffer), pipe)) result.output.append(buffer, count);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  return result;
}

// Whether the shell's test of a tool's presence succeeds; the test case is skipped where it does not.
inline bool can_run(const std::string& probe, const std::string& reason) {
  if (run_tool(probe).status == 0) return true;
  tests::skip(reason);
  return false;
}

// A document in a file with a name of its own.
class DocumentFile {
 public:
  explicit DocumentFile(const std::string& text) { std::ofstream(path(), std::ios::binary) << text; }
  std::string path() const { return directory_.at("document"); }

 private:
  NewDirectory directory_;
};

}  // namespace memprof::test
