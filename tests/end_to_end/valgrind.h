// One program under valgrind and under memprof, alike to the byte: what it asks for depends on its arguments, its
// environment and its directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "process.h"

namespace memprof::tests {

// Both runs have the same arguments, directory and environment, but for one directory's name of equal length: where
// memprof is preloaded in one run, the other has a library that does nothing. `settings` (NAME=VALUE) are set in
// both. Leaves trace.bin in the directory; the outcome is the recorded one's.
Outcome run_under_valgrind_and_memprof(const std::vector<std::string>& command,
                                       const std::vector<std::string>& valgrind_options,
                                       const std::vector<std::string>& settings,
                                       const std::filesystem::path& directory);

}  // namespace memprof::tests
