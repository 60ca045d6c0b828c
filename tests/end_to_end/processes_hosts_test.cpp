#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

uint64_t count_sized(const Trace& trace, uint64_t size, const std::string& state = "") {
  return count_if(trace.chunks(state), [&](const Json& chunk) { return chunk.at("size") == size; });
}

// The child of the host "forks".
void check_forked_child(const Trace& child) {
  CHECK(child.path().filename() == "trace." + std::to_string(child.pid()) + ".bin");
  CHECK(child.inherited() == 6);
  CHECK(child.orphans() == 6);
  CHECK(count_sized(child, 20) == 7);
  CHECK(count_sized(child, 5000, "open") == 1);
  CHECK(child.allocations() == 9);
  CHECK(child.open_chunks() == 1);
  CHECK(child.dropped() == 0);
  CHECK(child.complete());
}

}  // namespace

TEST_CASE("a forked child has a trace of its own, and its parent's blocks are inherited", "[hosts][processes]") {
  // All but the first pass by the library's fork.
  for (const char* how : {"fork", "raw", "clone", "clone3"}) {
    INFO(how);
    const HostRun host({"forks", how});
    const std::vector<Trace> traces = host.traces();
    REQUIRE(traces.size() == 2);
    check_trace(traces[0], host.recorded());
    CHECK(traces[1].pid() != traces[0].pid());
    check_forked_child(traces[1]);
  }
}

TEST_CASE("MEMPROF_FOLLOW_FORK=0 records the parent alone", "[hosts][processes]") {
  const HostRun host({"forks", "fork"}, {"MEMPROF_FOLLOW_FORK=0"});
  REQUIRE(host.traces().size() == 1);
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("atfork handlers may allocate", "[hosts][processes]") {
  const HostRun host({"forks", "atfork"});
  const std::vector<Trace> traces = host.traces();
  REQUIRE(traces.size() == 2);
  CHECK(count_sized(traces[0], 1) == 2);
  CHECK(count_sized(traces[0], 109, "open") == 1);
  CHECK(traces[0].orphans() == 0);
  CHECK(traces[1].inherited() == 6);
  CHECK(traces[1].unknown_orphans() == 0);
}

TEST_CASE("atfork handlers may fork", "[hosts][processes]") {
  const HostRun host({"forks", "atfork_fork"});
  check_trace(host.trace(), host.recorded());
  uint64_t children = 0, children_of_handlers = 0;
  for (const Trace& trace : host.traces_of_children()) {
    if (trace.allocations() != 3) {
      ++children;
      check_forked_child(trace);
      continue;
    }
    ++children_of_handlers;
    CHECK(count_sized(trace, 11, "closed") == 3);
    CHECK(trace.frees() == 4);
    CHECK(trace.inherited() == 1);
    CHECK(trace.orphans() == 1);
    CHECK(trace.dropped() == 0);
    CHECK(trace.complete());
  }
  CHECK(children == 1);
  CHECK(children_of_handlers == 3);
}

TEST_CASE("a signal handler may fork, and its child return from it into the recorder", "[hosts][processes]") {
  for (const char* how : {"quiet", "allocates"}) {
    INFO(how);
    const HostRun host({"forks_in_handler", how});
    const Trace trace = host.trace();
    const uint64_t rounds = std::stoull(read_file(host.directory() / "rounds"));
    CHECK(trace.allocations() == rounds);
    CHECK(trace.frees() == rounds);
    CHECK(trace.orphans() == 0);
    CHECK(trace.summary().at("double_allocations") == 0);
    CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
    CHECK(trace.dropped() == 0);
    CHECK(trace.complete());
    const std::vector<Trace> children = host.traces_of_children();
    CHECK(children.size() == 30);
    for (const Trace& child : children) {
      // And the pair that the fork interrupted, as far as it was not yet recorded in the parent.
      CHECK(child.allocations() >= 1000);
      CHECK(child.allocations() <= 1001);
      CHECK(child.unknown_orphans() == 0);
      CHECK(child.dropped() == 0);
      CHECK(child.complete());
    }
  }
}

TEST_CASE("a child that returns into the recorder writes nothing into its parent's trace", "[hosts][processes]") {
#if !defined(__x86_64__)
  return skip("the host knows the place on x86-64 alone");
#endif
  const HostRun host({"forks_after_roll"});
  CHECK(read_file(host.directory() / "forks") == "1");
  CHECK(host.trace().summary().at("trace").at("damaged_pages") == 0);
  CHECK(host.trace().complete());
}

TEST_CASE("what a child that shares its parent's memory does is its parent's", "[hosts][processes]") {
  for (const char* how : {"vfork", "clone"}) {
    INFO(how);
    const HostRun host({"shares_memory", how});
    REQUIRE(host.traces().size() == 1);
    check_trace(host.trace(), host.recorded());
  }
}

TEST_CASE("a child that shares the memory of a forked child begins the trace of that", "[hosts][processes]") {
  const HostRun host({"shares_memory", "fresh"});
  const std::vector<Trace> children = host.traces_of_children();
  REQUIRE(children.size() == 1);
  CHECK(children[0].path().filename() == "trace." + std::to_string(children[0].pid()) + ".bin");
  check_trace(children[0], host.recorded());
}

TEST_CASE("threads of a forked child that begin its trace at once lose nothing, and leave its parent's alone",
          "[hosts][processes]") {
  const HostRun host({"child_starts_threads", "20"});
  const std::vector<Trace> children = host.traces_of_children();
  CHECK(children.size() == 20);
  for (const Trace& child : children) {
    CHECK(child.allocations() == 40);
    CHECK(child.frees() == 40);
    CHECK(child.orphans() == 0);
    CHECK(child.dropped() == 0);
    CHECK(child.summary().at("trace").at("threads") == 4);
    CHECK(child.complete());
  }
  const Trace parent = host.trace();
  CHECK(parent.allocations() == 4);
  CHECK(parent.summary().at("trace").at("damaged_pages") == 0);
  CHECK(parent.complete());
}

TEST_CASE("a program that takes its arguments away may fork", "[hosts][processes]") {
  const HostRun host({"rewrites_arguments", "one", "two words"});
  const std::vector<Trace> children = host.traces_of_children();
  REQUIRE(children.size() == 1);
  for (const Trace& trace : {host.trace(), children[0]}) {
    const Json command = trace.summary().at("trace").at("command");
    REQUIRE(command.size() == 3);
    CHECK(command[1] == "one");
    CHECK(command[2] == "two words");
    CHECK(count_if(trace.chunks(), [](const Json& chunk) { return chunk.at("size") == 2100; }) == 1);
  }
}

namespace {

void check_forks_among_threads(size_t count) {
  const HostRun host({"forks_among_threads", std::to_string(count)});
  const std::vector<Trace> children = host.traces_of_children({"--no-symbols"});
  CHECK(children.size() == count);
  std::set<uint64_t> pids;
  for (const Trace& child : children) {
    pids.insert(child.pid());
    CHECK(child.inherited() == 1);
    CHECK(child.orphans() == 1);
    CHECK(child.allocations() == 100);
    CHECK(child.complete());
  }
  CHECK(pids.size() == count);
  CHECK(host.trace().orphans() == 0);
}

}  // namespace

TEST_CASE("forks from a program whose other threads allocate", "[hosts][processes]") { check_forks_among_threads(60); }

TEST_CASE("1,000 forks from a program whose other threads allocate", "[hosts][processes][long]") {
  check_forks_among_threads(1000);
}

TEST_CASE("programs started by vfork, posix_spawn, system and popen leave traces of their own", "[hosts][processes]") {
  for (const char* how : {"vfork", "posix_spawn", "fork", "system", "popen"}) {
    INFO(how);
    const HostRun host({"starts_programs", how, host_path("malloc_family"), "x"});
    const std::vector<Trace> traces = host.traces();
    const Trace& own = traces[0];
    CHECK(own.orphans() == 0);
    CHECK(count_sized(own, 111, "closed") == 1);
    CHECK(count_sized(own, 222, "closed") == 1);
    CHECK(own.summary().at("trace").at("command").at(1) == how);
    uint64_t family = 0;
    for (const Trace& trace : traces) {
      if (trace.summary().at("trace").at("command").at(0) != host_path("malloc_family")) continue;
      ++family;
      CHECK(trace.allocations() == 16);
      CHECK(trace.frees() == 12);
      CHECK(trace.orphans() == 0);
    }
    CHECK(family == 1);
  }
}

TEST_CASE("a vfork child that ends at once does not end its parent's trace", "[hosts][processes]") {
  const HostRun host({"starts_programs", "vfork_exit", "x", "x"});
  const Trace trace = host.trace();
  CHECK(host.traces().size() == 1);
  CHECK(count_sized(trace, 222, "closed") == 1);
  CHECK(trace.complete());
  CHECK(trace.orphans() == 0);
}

TEST_CASE("a child that shares the memory and closes its descriptors does not end its parent's recording",
          "[hosts][processes]") {
  for (const std::string how : {"close", "remove", "chroot"}) {
    if (how == "chroot" && geteuid() != 0) {
      skip("chroot needs root");
      continue;
    }
    INFO(how);
    FreshDirectory directory;
    const Outcome outcome =
        run({{host_path("vfork_descriptors"), how}, recording_environment(), directory.path(), "", {}});
    CHECK(outcome.out.find("status 5\n") != std::string::npos);
    INFO("stderr: " << outcome.err);
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.err.empty());
    const Trace trace(directory / (how == "remove" ? "kept" : "trace.bin"));
    CHECK(count_sized(trace, 8080, "open") == 10);
    CHECK(trace.allocations() + trace.frees() + trace.dropped() ==
          expected(outcome, "allocations") + expected(outcome, "frees"));
    CHECK(trace.complete());
    // Through /proc the child reaches what its parent has open; in a root without it, nothing.
    if (how == "chroot") {
      CHECK(trace.dropped() > 0);
      CHECK(trace.dropped() < expected(outcome, "by_child"));
      // The first event that is lost may be the free of the last block that was not.
      CHECK(trace.open_chunks() == 10 + trace.dropped() % 2);
      CHECK(trace.summary().at("dropped").at("file_lost") == trace.dropped());
    } else {
      CHECK(trace.dropped() == 0);
      CHECK(trace.open_chunks() == 10);
    }
  }
}

TEST_CASE("each image of a chain of execs keeps its trace, the last one the name", "[hosts][processes]") {
  const HostRun host({"execs_itself", "3"});
  const std::vector<Trace> traces = host.traces();
  REQUIRE(traces.size() == 4);
  const std::string pid = std::to_string(host.recorded().pid);
  for (int image = 1; image <= 3; ++image) {
    const Trace earlier(host.directory() / ("trace." + pid + "." + std::to_string(image) + ".bin"));
    CHECK(count_sized(earlier, 50) == static_cast<uint64_t>(14 - image));
    CHECK(earlier.complete());
  }
  CHECK(count_sized(host.trace(), 50) == 10);
  CHECK(host.trace().complete());
}

TEST_CASE("a daemon that closes every descriptor and outlives its parents is recorded to its end",
          "[hosts][processes]") {
  const HostRun host({"daemonizes"});
  CHECK(read_file(host.directory() / "daemon.txt") == "daemon\n");
  const std::vector<Trace> children = host.traces_of_children();
  uint64_t daemons = 0;
  for (const Trace& child : children) {
    if (count_sized(child, 444) == 0) continue;
    ++daemons;
    CHECK(count_sized(child, 444, "closed") == 1000);
    CHECK(count_sized(child, 445, "open") == 1);
    CHECK(child.inherited() == 1);
    CHECK(child.complete());
  }
  CHECK(daemons == 1);
}

TEST_CASE("programs that begin when those who started them are gone leave their traces alone", "[hosts][processes]") {
  for (const std::string how : {"exit", "kill"}) {
    INFO(how);
    FreshDirectory directory;
    // Not recorded itself; the programs become children of this test.
    const std::string script = "LD_PRELOAD='" + std::string(paths::kLibrary) + "' '" + host_path("orphans") + "' " +
                               how + " '" + host_path("churn") + "' 100; exit 0";
    const Outcome outcome = run({{"/bin/sh", "-c", script}, plain_environment(), directory.path(), "", {}});
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.err.find("memprof") == std::string::npos);
    CHECK_FALSE(std::filesystem::exists(directory / "trace.bin.old"));
    const std::vector<Trace> traces = traces_in(directory.path());
    REQUIRE(traces.size() == 3);
    CHECK(count_sized(traces[0], 4242, "open") == 1);
    for (size_t i = 1; i < traces.size(); ++i) {
      CHECK(traces[i].allocations() == 101);
      CHECK(traces[i].complete());
    }
  }
}

TEST_CASE("children that are pid 1 of namespaces of their own have traces of their own", "[hosts][processes]") {
  constexpr int kNotAllowed = 77;
  const HostRun host({"pid_namespaces"});
  if (host.native().exit_status == kNotAllowed) return skip("new pid namespaces need root");
  std::vector<uint64_t> allocations;
  for (const Trace& trace : host.traces_of_children()) {
    CHECK(trace.complete());
    CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
    CHECK(trace.dropped() == 0);
    allocations.push_back(trace.allocations());
  }
  std::sort(allocations.begin(), allocations.end());
  CHECK(allocations == std::vector<uint64_t>{5, 20'010});
}
