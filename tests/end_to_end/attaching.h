// scripts/memprof --pid and --detach, and a program to try them on.
#pragma once

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "host.h"
#include "paths.h"
#include "skip.h"

namespace memprof::tests {

inline const std::string kScript = std::string(paths::kSource) + "/scripts/memprof";

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline Outcome script(const FreshDirectory& directory, std::vector<std::string> arguments,
                      std::vector<std::string> environment = plain_environment(), std::function<void()> before = {}) {
  arguments.insert(arguments.begin(), {kScript, "--build-dir", paths::kBuild});
  return run({arguments, std::move(environment), directory.path(), "", std::move(before)});
}
inline Outcome attach(const FreshDirectory& directory, const Process& process,
                      const std::string& output = "trace.bin") {
  return script(directory, {"--pid", std::to_string(process.pid()), "-o", output});
}
inline Outcome detach(const FreshDirectory& directory, const Process& process) {
  return script(directory, {"--detach", std::to_string(process.pid()), "-n"});
}

inline bool may_attach() {
  if (run({{"sh", "-c", "command -v gdb"}, plain_environment(), "/", "", {}}).exit_status != 0) {
    skip("there is no gdb");
    return false;
  }
#if !defined(__x86_64__)
  skip("memprof can be attached on x86-64 alone");
  return false;
#endif
  Process other({{"cat"}, plain_environment(), "/", "", {}});
  const bool may = ptrace(PTRACE_SEIZE, other.pid(), 0, 0) == 0;
  if (may) {
    int status;
    ptrace(PTRACE_INTERRUPT, other.pid(), 0, 0);
    waitpid(other.pid(), &status, 0);
    ptrace(PTRACE_DETACH, other.pid(), 0, 0);
  }
  other.close_input();
  other.finish();
  if (!may) skip("no process may be traced here");
  return may;
}

// A host that does what it is told.
class Worker {
 public:
  explicit Worker(const FreshDirectory& directory, const std::string& name = "works_on_request",
                  const std::vector<std::string>& environment = plain_environment())
      : process_({{host_path(name)}, environment, directory.path(), "", {}}) {
    REQUIRE(process_.wait_for_output("ready\n"));
  }
  const Process& process() const { return process_; }
  void tell(const std::string& line, const std::string& answer) {
    process_.write_input(line + "\n");
    REQUIRE(process_.wait_for_output(answer));
  }
  void take_turn() {
    const std::string answer = "turn " + std::to_string(turns_++) + "\n";
    tell("turn", answer);
  }
  // Its output and status are as ever.
  Outcome end() {
    process_.close_input();
    const Outcome outcome = process_.finish();
    CHECK(outcome.exit_status == 5);
    CHECK(outcome.err.empty());
    CHECK(has(outcome.out, "end after " + std::to_string(turns_) + " turns\n"));
    return outcome;
  }

 private:
  Process process_;
  int turns_ = 0;
};

}  // namespace memprof::tests
