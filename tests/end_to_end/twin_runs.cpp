#include "twin_runs.h"

#include <catch2/catch.hpp>

#include "host.h"
#include "paths.h"

namespace memprof::tests {

void run_both(Pair* pair, const std::vector<std::string>& command, const std::vector<std::string>& settings,
              const std::function<void(const std::filesystem::path&)>& prepare) {
  for (const std::filesystem::path& path : {pair->native_directory(), pair->recorded_directory()}) {
    std::filesystem::create_directory(path);
    if (prepare) prepare(path);
  }
  std::vector<std::string> environment = plain_environment();
  environment.insert(environment.end(), settings.begin(), settings.end());
  pair->native = run({command, environment, pair->native_directory(), "", {}});
  // By its whole name: some of the programs change their directory.
  environment.push_back("LD_PRELOAD=" + std::string(paths::kLibrary));
  environment.push_back("MEMPROF_OUTPUT=" + (pair->recorded_directory() / "trace.bin").string());
  pair->recorded = run({command, environment, pair->recorded_directory(), "", {}});
  INFO(command[0]);
  CHECK(pair->native.exit_status == 0);
  CHECK(pair->recorded.out == pair->native.out);
  CHECK(pair->recorded.err == pair->native.err);
  CHECK(pair->recorded.exit_status == pair->native.exit_status);
  CHECK(pair->recorded.signal == pair->native.signal);
}

}  // namespace memprof::tests
