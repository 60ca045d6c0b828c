// Every stack that the stack hosts allocate from is unwound again by libunwind: no difference is allowed.
#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

namespace {

struct StackHost {
  std::vector<std::string> command;
  bool truncates;  // the program has code that no unwinder can leave, and must say so
};

std::vector<StackHost> stack_hosts() {
  return {
      {{"stack_altstack"}, false},
      {{"stack_deep_recursion"}, true},
      {{"stack_exceptions"}, false},
      {{"stack_fibers_assembly"}, true},
      {{"stack_fibers_context"}, false},
      {{"stack_generated_code"}, true},
      {{"stack_longjmp"}, false},
      {{"stack_no_cfi"}, true},
      {{"stack_odd_cfi"}, false},
      {{"stack_realigned"}, false},
      {{"stack_reloaded_module", host_path("libstack_module_small.so"), host_path("libstack_module_large.so")}, false},
      {{"stack_signal_leaf"}, false},
      {{"stack_split"}, false},
      {{"stack_varied_recursion"}, false},
      {{"stack_wrong_cfi"}, true},
  };
}

void check_stacks(const StackHost& host, const std::vector<std::string>& settings) {
  CAPTURE(host.command.front());
  const HostRun run(host.command, settings);
  const Trace trace = run.trace();
  CHECK(trace.summary().at("verify").at("checked") > 0);
  CHECK(trace.summary().at("verify").at("mismatches") == 0);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK((trace.summary().at("truncated_stacks") > 0) == host.truncates);
}

}  // namespace

TEST_CASE("every stack equals libunwind's, whatever the program does to its stack", "[hosts][stacks]") {
  for (const StackHost& host : stack_hosts()) check_stacks(host, {"MEMPROF_VERIFY_STACKS=1"});
}

TEST_CASE("a stack cut at the depth limit is the innermost part of libunwind's, and truncated", "[hosts][stacks]") {
  for (StackHost host : stack_hosts()) {
    host.truncates = true;
    check_stacks(host, {"MEMPROF_VERIFY_STACKS=1", "MEMPROF_MAX_DEPTH=2"});
  }
}
