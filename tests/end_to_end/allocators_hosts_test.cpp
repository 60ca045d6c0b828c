// Other allocators below memprof, and programs with operators of their own: the same counts, natively the same output.
#include <catch2/catch.hpp>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

struct Allocator {
  const char* name;
  const char* library;
  std::vector<std::string> functions;  // beyond what all have
};
const std::vector<Allocator> kAllocators = {
    {"jemalloc", "libjemalloc.so.2", {}},
    {"tcmalloc", "libtcmalloc_minimal.so.4", {"pvalloc"}},
    {"mimalloc", "libmimalloc.so.2", {"pvalloc", "reallocarray"}},
};

std::vector<std::string> with_preload(const std::string& libraries) {
  std::vector<std::string> environment = plain_environment();
  environment.push_back("LD_PRELOAD=" + libraries);
  return environment;
}

std::vector<std::string> command_of(const std::string& host, const Allocator& allocator) {
  std::vector<std::string> command = {host_path(host)};
  command.insert(command.end(), allocator.functions.begin(), allocator.functions.end());
  return command;
}

void check_same(const Outcome& native, const Outcome& recorded) {
  CHECK(native.exit_status == 0);
  CHECK(recorded.exit_status == native.exit_status);
  CHECK(recorded.signal == native.signal);
  CHECK(recorded.out == native.out);
  CHECK(recorded.err == native.err);
}

bool is_there(const std::string& library) {
  const Outcome outcome = run({{"true"}, with_preload(library), "/", "", {}});
  return outcome.err.empty();
}

}  // namespace

TEST_CASE("every function on glibc's allocator, in threads", "[hosts][allocators]") {
  const HostRun host({"allocators", "pvalloc", "reallocarray"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}

TEST_CASE("every function on an allocator that is preloaded behind memprof", "[hosts][allocators]") {
  for (const Allocator& allocator : kAllocators) {
    INFO(allocator.name);
    if (!is_there(allocator.library)) {
      skip(std::string(allocator.library) + " is not installed");
      continue;
    }
    for (const char* const program : {"allocators", "allocators_fixed"}) {
      INFO(program);
      FreshDirectory directory;
      const std::vector<std::string> command = command_of(program, allocator);
      const Outcome native = run({command, with_preload(allocator.library), directory.path(), "", {}});
      const Outcome recorded = run(
          {command, with_preload(paths::kLibrary + std::string(":") + allocator.library), directory.path(), "", {}});
      check_same(native, recorded);
      check_trace(Trace(directory / "trace.bin"), recorded, Runtime::cxx_or_threads);
    }
  }
}

TEST_CASE("every function on an allocator that the program is linked with", "[hosts][allocators]") {
  for (const Allocator& allocator : kAllocators) {
    INFO(allocator.name);
    const std::string host = std::string("allocators_") + allocator.name;
    if (!std::filesystem::exists(host_path(host))) {
      skip(std::string(allocator.library) + " was not installed when the tests were built");
      continue;
    }
    const HostRun linked(command_of(host, allocator));
    check_trace(linked.trace(), linked.recorded(), Runtime::cxx_or_threads);
  }
}

TEST_CASE("every function on an allocator that is preloaded before memprof, which hooks it", "[hosts][allocators]") {
  for (const Allocator& allocator : kAllocators) {
    INFO(allocator.name);
    if (!is_there(allocator.library)) {
      skip(std::string(allocator.library) + " is not installed");
      continue;
    }
    FreshDirectory directory;
    const std::vector<std::string> command = command_of("allocators", allocator);
    const Outcome native = run({command, with_preload(allocator.library), directory.path(), "", {}});
    const Outcome recorded = run(
        {command, with_preload(allocator.library + (":" + std::string(paths::kLibrary))), directory.path(), "", {}});
    check_same(native, recorded);
    check_trace(Trace(directory / "trace.bin"), without_names(recorded), Runtime::cxx_or_threads);
  }
}

TEST_CASE("a wrapper behind memprof, before an allocator whose own functions are hooked", "[hosts][allocators]") {
  // The second has no realloc: mimalloc's is called.
  const std::string wrapper = host_path(GENERATE("libmalloc_wrapper_whole.so", "libmalloc_wrapper_partial.so"));
  INFO(wrapper);
  if (!std::filesystem::exists(wrapper)) return skip("mimalloc was not installed when the tests were built");
  FreshDirectory directory;
  const std::string libraries = wrapper + ":libmimalloc.so.2";
  const std::vector<std::string> command = {host_path("grows_blocks")};
  const Outcome native = run({command, with_preload(libraries), directory.path(), "", {}});
  const Outcome recorded = run({command, with_preload(paths::kLibrary + (":" + libraries)), directory.path(), "", {}});
  check_same(native, recorded);
  const Trace trace(directory / "trace.bin");
  check_trace(trace, recorded);
  CHECK(trace.orphans() == 0);
  CHECK(trace.summary().at("double_allocations") == 0);
}

TEST_CASE("operators new and delete of the program's own", "[hosts][allocators]") {
  for (const char* mode : {"malloc", "arena"}) {
    INFO(mode);
    const HostRun host({"own_new", mode});
    check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
  }
}
