// A host program run twice, alone and under the preload, in twin directories.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fresh_directory.h"
#include "process.h"
#include "trace.h"

namespace memprof::tests {

std::string host_path(const std::string& name);
std::vector<std::string> plain_environment();
std::vector<std::string> recording_environment(const std::vector<std::string>& settings = {});

class HostRun {
 public:
  // Runs it twice and CHECKs that standard output, standard error and the way it ended are equal.
  // `settings` (NAME=VALUE) are set under the preload only.
  explicit HostRun(const std::vector<std::string>& command, const std::vector<std::string>& settings = {});

  const Outcome& native() const { return native_; }
  const Outcome& recorded() const { return recorded_; }
  std::filesystem::path directory() const { return directory_ / "record"; }
  // The trace of the program itself: trace.bin.
  Trace trace() const { return Trace(directory() / "trace.bin"); }
  // Every trace that the program and its descendants left, trace.bin first.
  std::vector<Trace> traces() const;
  std::vector<Trace> traces_of_children(const std::vector<std::string>& options = {}) const;

 private:
  FreshDirectory directory_;
  Outcome native_;
  Outcome recorded_;
};

// A host counts what it does and prints "expect KEY VALUE" lines. The value of one, which must be there.
uint64_t expected(const Outcome& outcome, const std::string& key);
bool says(const Outcome& outcome, const std::string& key);

// CHECKs that the trace says what the host printed: every key of kExpectations in tests/hosts/tally.h that is there.
// Blocks of the C and C++ runtimes are left out when `runtime` is not none.
enum class Runtime { none, cxx_or_threads };
void check_trace(const Trace& trace, const Outcome& outcome, Runtime runtime = Runtime::none);

// Without what the host says of single functions: some allocators have one under several names, new and new[] say, and
// where that is hooked itself nobody can tell what was called.
Outcome without_names(Outcome outcome);

// The traces in a directory: trace.bin, which must be there, then trace.PID.bin and the like.
std::vector<Trace> traces_in(const std::filesystem::path& directory, const std::vector<std::string>& options = {});

// CHECKs what MEMPROF_VERIFY_STACKS counted: at least so many stacks were compared in all, and none differed.
void check_verified(const std::vector<Trace>& traces, uint64_t least_checked);

}  // namespace memprof::tests
