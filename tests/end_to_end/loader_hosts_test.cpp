#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

std::string library(const std::string& name) { return std::string(paths::kHosts) + "/lib" + name + ".so"; }

}  // namespace

TEST_CASE("libraries loaded and unloaded in turn are told apart at the same address", "[hosts][loader]") {
  for (const char* flags : {"now", "lazy", "deepbind", "global"}) {
    INFO(flags);
    const HostRun host({"loads_plugins", flags, library("plugin_first"), library("plugin_second")});
    const Trace trace = host.trace();
    CHECK(trace.dropped() == 0);
    if (std::string(flags) == "deepbind") {
      // The plugin finds glibc's malloc before ours, so that its blocks are first seen when the program frees them.
      CHECK(trace.unknown_orphans() == 1100);
      continue;
    }
    CHECK(trace.unknown_orphans() == 0);
    const std::vector<Json> chunks = trace.chunks();
    for (const auto& [size, name] : {std::pair{920, "plugin_first"}, std::pair{921, "plugin_second"}}) {
      const auto right = [&, size = size, name = name](const Json& chunk) {
        return chunk.at("size") == size && caller(chunk) == "plugin_allocate" &&
               chunk.at("stack").at(0).at("module").get<std::string>().find(name) != std::string::npos;
      };
      CHECK(count_if(chunks, right) == 50);
    }
    CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 930; }) == 1000);
    CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 910 && chunk.at("state") == "open"; }) ==
          0);
  }
}

TEST_CASE("a plugin bound by RTLD_DEEPBIND passes memprof by", "[hosts][loader]") {
  const HostRun host({"loads_deepbind", library("deepbind_plugin")});
  const Trace trace = host.trace();
  const std::vector<Json> chunks = trace.chunks();
  const auto sized = [&](uint64_t least, uint64_t most) {
    return count_if(chunks, [&](const Json& chunk) { return chunk.at("size") >= least && chunk.at("size") <= most; });
  };
  CHECK(sized(960, 962) == 0);
  CHECK(sized(970, 970) == 50);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  // What the plugin frees of the program's stays open, as its free is libc's: the next block there is the second one.
  const auto freed_there = [](const Json& chunk) { return chunk.at("size") >= 30000 && chunk.at("state") == "open"; };
  CHECK(count_if(chunks, freed_there) == 10);
  CHECK(trace.summary().at("double_allocations") == 9);
}

TEST_CASE("a library in a namespace of its own has a heap of its own", "[hosts][loader]") {
  const HostRun host({"namespaces", library("namespace_plugin")});
  const Trace trace = host.trace();
  check_trace(trace, host.recorded());
  const auto through_plugin = [](const Json& chunk) {
    return chunk.at("size") == 950 && stack_names(chunk, "plugin_call") && chunk.at("truncated") == false;
  };
  CHECK(count_if(trace.chunks(), through_plugin) == 20);
}

TEST_CASE("a library whose constructor allocates and forks", "[hosts][loader]") {
  const HostRun host({"loads_forking", library("forking_plugin")});
  check_trace(host.trace(), host.recorded());
  const std::vector<Trace> children = host.traces_of_children();
  CHECK(children.size() == 10);
  for (const Trace& child : children) {
    CHECK(child.allocations() == 1);
    CHECK(child.bytes_allocated() == 981);
    CHECK(child.inherited() == 1);
    CHECK(child.unknown_orphans() == 0);
    CHECK(child.dropped() == 0);
    CHECK(child.complete());
  }
}

TEST_CASE("a program that brings libunwind unwinds as it does alone", "[hosts][loader]") {
  for (const char* checks : {"0", "1"}) {
    const HostRun host({"own_libunwind"}, {std::string("MEMPROF_VERIFY_STACKS=") + checks});
    CHECK(host.native().out.find("caught 20\n") != std::string::npos);
    check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
    check_verified({host.trace()}, *checks == '1' ? 1000 : 0);
  }
}

TEST_CASE("a C program whose plugin throws C++ exceptions", "[hosts][loader]") {
  const HostRun host({"c_program_cxx_plugin", library("throwing_plugin")});
  CHECK(host.recorded().out.find("caught 10\n") != std::string::npos);
  CHECK(host.trace().orphans() == 0);
}

TEST_CASE("the first operator new leaves dlerror alone", "[hosts][loader]") {
  const HostRun host({"dlerror_kept"});
  CHECK(host.recorded().out.starts_with("1 no-such-library.so"));
}

TEST_CASE("another preloaded library before memprof and after it", "[hosts][loader]") {
  for (const bool first : {true, false}) {
    INFO("the other one first: " << first);
    FreshDirectory directory;
    std::vector<std::string> environment = plain_environment();
    const std::string both =
        first ? library("other_preload") + ":" + paths::kLibrary : paths::kLibrary + (":" + library("other_preload"));
    environment.push_back("LD_PRELOAD=" + both);
    const Outcome outcome = run({{host_path("realloc_corners")}, environment, directory.path(), "", {}});
    CHECK(outcome.err.empty());
    CHECK(outcome.exit_status == 0);
    const Trace trace(directory / "trace.bin");
    CHECK(trace.allocations() == expected(outcome, "allocations"));
    CHECK(trace.frees() == expected(outcome, "frees"));
    CHECK(trace.bytes_allocated() == expected(outcome, "bytes"));
    CHECK(trace.orphans() == 0);
  }
}

TEST_CASE("a program linked with jemalloc is recorded like any other", "[hosts][loader]") {
  const HostRun host({"realloc_corners_jemalloc"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);  // libjemalloc.so brings the C++ runtime
  const HostRun threads({"threads_realloc_jemalloc"});
  check_trace(threads.trace(), threads.recorded(), Runtime::cxx_or_threads);
}

TEST_CASE("a static program runs as it does alone, and leaves no trace", "[hosts][loader]") {
  const HostRun host({"static_program"});
  CHECK(host.recorded().exit_status == 4);
  CHECK_FALSE(std::filesystem::exists(host.directory() / "trace.bin"));
}

TEST_CASE("a program with a malloc of its own that cannot be hooked runs as it does alone, and is told of",
          "[hosts][loader]") {
  FreshDirectory directory;
  const Outcome native = run({{host_path("own_malloc")}, plain_environment(), directory.path(), "", {}});
  const Outcome recorded = run({{host_path("own_malloc")}, recording_environment(), directory.path(), "", {}});
  CHECK(native.out == "own allocator\n");
  CHECK(recorded.out == native.out);
  CHECK(recorded.exit_status == native.exit_status);
  CHECK(recorded.err == "memprof: malloc of " + host_path("own_malloc") +
                            " is called instead of memprof's: its blocks are not recorded (free cannot be hooked, "
                            "because it is too short)\n");
  CHECK(Trace(directory / "trace.bin").allocations() == 0);
}

TEST_CASE("a set-uid program is left alone even when memprof is linked in", "[hosts][loader]") {
  if (geteuid() != 0) return skip("making a set-uid copy for another user needs root");
  FreshDirectory directory;
  const std::filesystem::path copy = directory / "secure";
  std::filesystem::copy_file(host_path("secure_linked"), copy);
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  REQUIRE(chown(copy.c_str(), 65534, 65534) == 0);
  REQUIRE(chmod(copy.c_str(), 04755) == 0);
  const Outcome outcome = run({{copy.string()}, plain_environment(), directory.path(), "", {}});
  if (outcome.out.find("secure 0") != std::string::npos) return skip("the temporary directory is mounted nosuid");
  CHECK(outcome.out == "secure 1\n");
  CHECK(outcome.err.empty());
  CHECK(outcome.exit_status == 0);
  CHECK_FALSE(std::filesystem::exists(directory / "trace.bin"));
  const Outcome open_run = run({{host_path("secure_linked")}, plain_environment(), directory.path(), "", {}});
  CHECK(open_run.out == "secure 0\n");
  CHECK(Trace(directory / "trace.bin").allocations() == 10);
}
