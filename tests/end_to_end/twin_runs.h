// A program that people use, run twice in twin directories: alone, and under the preload.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fresh_directory.h"
#include "process.h"
#include "trace.h"

namespace memprof::tests {

struct Pair {
  FreshDirectory directory;
  Outcome native, recorded;
  std::filesystem::path native_directory() const { return directory / "native"; }
  std::filesystem::path recorded_directory() const { return directory / "record"; }
  Trace trace() const { return Trace(recorded_directory() / "trace.bin"); }
};

// Runs `command` in twin directories, after `prepare` in each, and CHECKs that output and status are the same.
void run_both(Pair* pair, const std::vector<std::string>& command, const std::vector<std::string>& settings = {},
              const std::function<void(const std::filesystem::path&)>& prepare = {});

}  // namespace memprof::tests
