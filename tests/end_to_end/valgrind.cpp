#include "valgrind.h"

#include <sstream>

#include "host.h"
#include "paths.h"

namespace memprof::tests {

namespace fs = std::filesystem;

namespace {

const std::string kValgrind = "/usr/bin/valgrind";

// What the program under valgrind sees: valgrind adds variables and preloads of its own, and programs keep copies of
// their environment. Its libraries do nothing in a program that it does not run.
std::vector<std::string> environment_under_valgrind(const std::vector<std::string>& environment,
                                                    const fs::path& directory) {
  std::istringstream lines(run({{kValgrind, "-q", "/usr/bin/env"}, environment, directory, "", {}}).out);
  std::vector<std::string> seen;
  for (std::string line; std::getline(lines, line);) seen.push_back(line);
  return seen;
}

}  // namespace

Outcome run_under_valgrind_and_memprof(const std::vector<std::string>& command,
                                       const std::vector<std::string>& valgrind_options,
                                       const std::vector<std::string>& settings, const fs::path& directory) {
  const fs::path oracle_library = directory / "oracle" / "libmemprof.so";
  const fs::path record_library = directory / "record" / "libmemprof.so";
  fs::create_directory(oracle_library.parent_path());
  fs::create_directory(record_library.parent_path());
  fs::create_symlink(std::string(paths::kHosts) + "/libinert.so", oracle_library);
  fs::create_symlink(paths::kLibrary, record_library);
  std::vector<std::string> environment = plain_environment();
  environment.insert(environment.end(), settings.begin(), settings.end());
  environment.push_back("LD_PRELOAD=" + oracle_library.string());
  std::vector<std::string> checked = {kValgrind};
  checked.insert(checked.end(), valgrind_options.begin(), valgrind_options.end());
  checked.insert(checked.end(), command.begin(), command.end());
  run({checked, environment, directory, "", {}});
  environment = environment_under_valgrind(environment, directory);
  for (std::string& entry : environment) {
    const size_t at = entry.find(oracle_library.string());
    if (at != std::string::npos) entry.replace(at, std::string::npos, record_library.string());
  }
  return run({command, environment, directory, "", {}});
}

}  // namespace memprof::tests
