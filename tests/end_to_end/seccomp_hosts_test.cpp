// Hosts that give up system calls while they are recorded: none of memprof's may kill them.
#include <catch2/catch.hpp>
#include <csignal>

#include "host.h"
#include "paths.h"

using namespace memprof::tests;

namespace {

// What the host counted, whether or not the trace was closed.
void check_tally(const Trace& trace, const Outcome& outcome) {
  CHECK(trace.allocations() == expected(outcome, "allocations"));
  CHECK(trace.frees() == expected(outcome, "frees"));
  CHECK(trace.bytes_allocated() == expected(outcome, "bytes"));
  CHECK(trace.open_bytes() == expected(outcome, "open_bytes"));
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK(trace.summary().at("double_allocations") == 0);
}

uint64_t dropped_for_want_of_calls(const Trace& trace) {
  const Json& dropped = trace.summary().at("dropped");
  return dropped.contains("no_syscalls") ? dropped.at("no_syscalls").get<uint64_t>() : 0;
}

}  // namespace

TEST_CASE("a program under a seccomp filter runs as it does alone, and is recorded", "[hosts][seccomp]") {
  for (const char* mode : {"kill", "errno", "signals"}) {
    INFO(mode);
    const HostRun host({"seccomp", mode});
    CHECK(host.native().exit_status == 6);
    const Trace trace = host.trace();
    check_trace(trace, host.recorded());
    CHECK(trace.summary().at("truncated_stacks") == 0);
  }
}

TEST_CASE("a library that no stack led into before the filter is known by its path", "[hosts][seccomp]") {
  const std::string library = paths::kHosts + std::string("/libquiet_plugin.so");
  const HostRun host({"seccomp", library});
  CHECK(host.native().exit_status == 6);
  CHECK(host.trace().dropped() == 0);
  bool found = false;
  for (const Json& chunk : host.trace().chunks("closed")) {
    if (chunk.at("size") != 999) continue;
    found = true;
    CHECK(chunk.at("stack").at(0).at("function") == "quiet_allocate");
    const std::filesystem::path module = chunk.at("stack").at(0).at("module").get<std::string>();
    CHECK(module.lexically_normal() == library);
  }
  CHECK(found);
}

TEST_CASE("strict seccomp, which takes the processor's clock too", "[hosts][seccomp]") {
  const HostRun host({"seccomp", "strict"});
  CHECK(host.native().exit_status == 5);
  const Trace trace = host.trace();
  check_tally(trace, host.recorded());
  CHECK(trace.summary().at("truncated_stacks") == 0);
}

TEST_CASE("a program that disables the processor's clock", "[hosts][seccomp]") {
  const HostRun host({"seccomp", "no_tsc"});
  CHECK(host.native().exit_status == 6);
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("a filter for all threads at once", "[hosts][seccomp]") {
  const HostRun host({"seccomp", "threads"});
  CHECK(host.native().exit_status == 6);
  const Trace trace = host.trace();
  check_trace(trace, host.recorded(), Runtime::cxx_or_threads);
  CHECK(trace.summary().at("trace").at("threads") == 4);
  CHECK(trace.summary().at("truncated_stacks") == 0);
}

TEST_CASE("filters that eight threads install for all at the same time", "[hosts][seccomp]") {
  for (int i = 0; i < 20; ++i) {
    const HostRun host({"seccomp", "race"});
    CHECK(host.native().exit_status == 6);
    const Trace trace = host.trace();
    CHECK(trace.orphans() == 0);
    CHECK(trace.dropped() == 0);
    CHECK(count_if(trace.chunks("open"), [](const Json& chunk) { return chunk.at("size") == 777; }) == 8 * 20 + 20);
  }
}

TEST_CASE("a filter for one thread while others allocate", "[hosts][seccomp]") {
  for (int i = 0; i < 8; ++i) {
    const HostRun host({"seccomp", "others"});
    CHECK(host.native().exit_status == 6);
    check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
  }
}

TEST_CASE("the trace of a program under a filter ends where the reserve does, and counts the rest",
          "[hosts][seccomp]") {
  const HostRun host({"seccomp", "many"});
  CHECK(host.native().exit_status == 6);
  const Trace trace = host.trace();
  CHECK(dropped_for_want_of_calls(trace) == trace.dropped());
  CHECK(trace.dropped() > 0);
  CHECK(trace.allocations() + trace.frees() + trace.dropped() ==
        expected(host.recorded(), "allocations") + expected(host.recorded(), "frees"));
  CHECK(trace.allocations() > 1'000'000);
  CHECK(trace.complete());
}

TEST_CASE("a child that is forked under a filter has no trace, and its parent's says what is missing",
          "[hosts][seccomp]") {
  const HostRun host({"seccomp", "forks"});
  CHECK(host.native().out.find("child 1 0\n") != std::string::npos);
  const std::vector<Trace> traces = host.traces();
  CHECK(traces.size() == 1);
  CHECK(traces[0].allocations() == expected(host.recorded(), "allocations"));
  CHECK(traces[0].frees() == expected(host.recorded(), "frees"));
  CHECK(traces[0].dropped() == 200);
  CHECK(dropped_for_want_of_calls(traces[0]) == 200);
  CHECK(traces[0].complete());
}

TEST_CASE("a forked child that takes a filter before it allocates has a trace of its own", "[hosts][seccomp]") {
  const HostRun host({"seccomp", "child"});
  CHECK(host.native().out.find("child 1 0\n") != std::string::npos);
  check_trace(host.trace(), host.recorded());
  const std::vector<Trace> children = host.traces_of_children();
  REQUIRE(children.size() == 1);
  CHECK(children[0].allocations() == 100);
  CHECK(children[0].frees() == 100);
  CHECK(children[0].dropped() == 0);
  CHECK(children[0].complete());
}

TEST_CASE("after a filter that the kernel refuses everything is as before", "[hosts][seccomp]") {
  const HostRun host({"seccomp", "refused"});
  CHECK(host.native().out.find("refused -1 22\n") != std::string::npos);
  check_trace(host.trace(), host.recorded());
  const std::vector<Trace> children = host.traces_of_children();
  REQUIRE(children.size() == 1);
  CHECK(children[0].allocations() == 100);
  CHECK(children[0].dropped() == 0);
}

TEST_CASE("a child that shares the memory may take a filter, and its parent goes on as before", "[hosts][seccomp]") {
  for (const char* mode : {"vfork", "vfork_exec"}) {
    INFO(mode);
    const HostRun host({"seccomp", mode});
    CHECK(host.native().exit_status == 6);
    CHECK(host.native().out.find("guest 768\n") != std::string::npos);
    // More than the pages that are kept for a process without system calls: it has them again.
    check_trace(host.trace(), host.recorded());
    CHECK(host.traces_of_children().size() == 1);
  }
}

// Limits, both: nothing tells memprof of the filter.
TEST_CASE("a filter by the bare system call, or one that was there before, ends the program as it forbids",
          "[hosts][seccomp]") {
  for (const char* mode : {"bare", "inherited"}) {
    INFO(mode);
    FreshDirectory directory;
    const auto run_with = [&](const std::vector<std::string>& environment) {
      return run({{host_path("seccomp"), mode}, environment, directory.path(), "", {}});
    };
    CHECK(run_with(plain_environment()).signal == 0);
    const Outcome outcome = run_with(recording_environment());
    CHECK(outcome.signal == SIGSYS);
    // What was recorded before is there.
    if (std::filesystem::exists(directory / "trace.bin")) CHECK(Trace(directory / "trace.bin").allocations() > 100);
  }
}

TEST_CASE("an end by the bare system call closes the trace", "[hosts][seccomp]") {
  const HostRun host({"seccomp", "exit_group"});
  CHECK(host.native().exit_status == 4);
  check_trace(host.trace(), host.recorded());
}
