// scripts/memprof: the command that a user types first.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

const std::string kScript = std::string(paths::kSource) + "/scripts/memprof";

std::vector<std::string> with_script(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {kScript, "--build-dir", paths::kBuild});
  return arguments;
}

Outcome run_script(const FreshDirectory& directory, const std::vector<std::string>& arguments,
                   const std::string& input = "", std::vector<std::string> environment = plain_environment()) {
  return run({with_script(arguments), std::move(environment), directory.path(), input, {}});
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the script runs a command with its output, status and input, and sums up on stderr", "[hosts][script]") {
  FreshDirectory directory;
  const Outcome native = run({{host_path("malloc_family")}, plain_environment(), directory.path(), "", {}});
  const Outcome outcome = run_script(directory, {"--", host_path("malloc_family")});
  INFO(outcome.err);
  CHECK(outcome.out == native.out);
  CHECK(outcome.exit_status == 7);
  CHECK(has(outcome.err, "allocated"));
  CHECK(has(outcome.err, "trace.bin"));
  CHECK(Trace(directory / "trace.bin").allocations() == 16);
  const Outcome copied = run_script(directory, {"cat"}, "from standard input\n");
  CHECK(copied.out == "from standard input\n");
  CHECK(copied.exit_status == 0);
}

TEST_CASE("the script's options become settings", "[hosts][script]") {
  FreshDirectory directory;
  const Outcome outcome = run_script(
      directory, {"-o", "mine.bin", "--filter=size>=100", "--max-depth", "3", "-n", host_path("malloc_family")});
  CHECK(outcome.exit_status == 7);
  CHECK_FALSE(has(outcome.err, "allocated"));
  CHECK(has(outcome.err, "mine.bin"));
  const Trace trace(directory / "mine.bin");
  CHECK(trace.allocations() == 5);
  for (const Json& chunk : trace.chunks("open")) CHECK(chunk.at("stack").size() <= 3);
}

TEST_CASE("the script's bad options end with 2 and a hint", "[hosts][script]") {
  FreshDirectory directory;
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--colour"}, {"-o"}, {}, {"--"}, {"--max-depth", ""}}) {
    const Outcome outcome = run_script(directory, arguments);
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.out.empty());
    CHECK(has(outcome.err, "--help"));
  }
  const Outcome help = run_script(directory, {"--help"});
  CHECK(help.exit_status == 0);
  CHECK(has(help.out, "Usage: memprof"));
}

TEST_CASE("the script ends as a shell does when the command cannot be started", "[hosts][script]") {
  FreshDirectory directory;
  CHECK(run_script(directory, {"no-such-command"}).exit_status == 127);
  write_file(directory / "plain", "text\n");
  CHECK(run_script(directory, {"./plain"}).exit_status == 126);
  CHECK(run_script(directory, {"/"}).exit_status == 126);
}

TEST_CASE("the script works through a link, from a directory with a space", "[hosts][script]") {
  FreshDirectory directory;
  fs::create_directory(directory / "a b");
  fs::create_symlink(kScript, directory / "linked");
  const Outcome outcome =
      run({{(directory / "linked").string(), "--build-dir", paths::kBuild, host_path("malloc_family")},
           plain_environment(),
           directory / "a b",
           "",
           {}});
  INFO(outcome.err);
  CHECK(outcome.exit_status == 7);
  CHECK(Trace(directory / "a b" / "trace.bin").allocations() == 16);
}

TEST_CASE("the script says why nothing can be recorded", "[hosts][script]") {
  FreshDirectory directory;
  const Outcome is_static = run_script(directory, {host_path("static_program")});
  INFO(is_static.err);
  CHECK(is_static.exit_status == 4);
  CHECK(is_static.out == "static\n");
  CHECK(has(is_static.err, "statically"));
  const Outcome own = run_script(directory, {host_path("own_malloc")});
  INFO(own.err);
  CHECK(own.exit_status == 0);
  CHECK(has(own.err, "is called instead of memprof's: its blocks are not recorded (free cannot be hooked"));
  const fs::path copy = directory / "copy";
  fs::copy_file(host_path("malloc_family"), copy);
  fs::permissions(copy, fs::perms::set_uid, fs::perm_options::add);
  CHECK(has(run_script(directory, {copy.string()}).err, "set-uid"));
}

TEST_CASE("a script is followed to the program that runs it", "[hosts][script]") {
  FreshDirectory directory;
  const fs::path script = directory / "script";
  write_file(script, "#!" + host_path("static_program") + "\n");
  fs::permissions(script, fs::perms::owner_all);
  const Outcome outcome = run_script(directory, {script.string()});
  INFO(outcome.err);
  CHECK(outcome.exit_status == 4);
  CHECK(has(outcome.err, "statically"));
}

TEST_CASE("after a chain of execs the summary is of the last program, and the others are named", "[hosts][script]") {
  FreshDirectory directory;
  const fs::path wrapper = directory / "wrapper";
  write_file(wrapper, "#!/bin/sh\nexec " + host_path("malloc_family") + " \"$@\"\n");
  fs::permissions(wrapper, fs::perms::owner_all);
  const Outcome outcome = run_script(directory, {wrapper.string()});
  INFO(outcome.err);
  CHECK(outcome.exit_status == 7);
  CHECK(has(outcome.err, host_path("malloc_family")));
  CHECK(has(outcome.err, "earlier images: trace."));
  CHECK(Trace(directory / "trace.bin").allocations() == 16);
  const Outcome forks = run_script(directory, {host_path("forks"), "fork"});
  CHECK(has(forks.err, "other processes"));
}

TEST_CASE("the script keeps the user's own preload", "[hosts][script]") {
  FreshDirectory directory;
  std::vector<std::string> environment = plain_environment();
  environment.push_back("LD_PRELOAD=" + std::string(paths::kHosts) + "/libother_preload.so");
  const Outcome outcome = run_script(directory, {"sh", "-c", "echo $LD_PRELOAD"}, "", environment);
  CHECK(has(outcome.out, "libmemprof.so:"));
  CHECK(has(outcome.out, "libother_preload.so\n"));
}

TEST_CASE("a command that dies of a signal keeps its status, and its summary comes", "[hosts][script]") {
  FreshDirectory directory;
  const Outcome outcome = run_script(directory, {host_path("endings"), "segv", "1"});
  INFO(outcome.err);
  CHECK(outcome.exit_status == 128 + SIGSEGV);
  CHECK(has(outcome.err, "allocated"));
}

TEST_CASE("signals: the terminal's end the command, a supervisor's are handed on, and the summary comes",
          "[hosts][script]") {
  for (const int number : {SIGINT, SIGTERM}) {
    INFO("signal " << number);
    FreshDirectory directory;
    // A group of its own, as a shell makes one: the terminal's SIGINT goes to the whole group. An input that never
    // ends, as nobody closes the other end that the process has itself: the signal alone ends it.
    Process process({with_script({host_path("waits_for_input")}), plain_environment(), directory.path(), "", [] {
                       setpgid(0, 0);
                       int ends[2];
                       if (pipe(ends) == 0) dup2(ends[0], 0);
                     }});
    REQUIRE(process.wait_for_output("ready\n"));
    REQUIRE(kill(number == SIGINT ? -process.pid() : process.pid(), number) == 0);
    const Outcome outcome = process.finish();
    INFO(outcome.err);
    CHECK(outcome.exit_status == 128 + number);
    CHECK(has(outcome.err, "allocated"));
    CHECK(outcome.out == "ready\n");
  }
}

TEST_CASE("the output may be named by pid, by program and in another directory", "[hosts][script]") {
  FreshDirectory directory;
  fs::create_directory(directory / "traces");
  const Outcome outcome = run_script(directory, {"-o", "traces/%e.%p.bin", host_path("malloc_family")});
  INFO(outcome.err);
  CHECK(has(outcome.err, "trace: traces/malloc_family."));
  CHECK(has(outcome.err, "allocated"));
}

TEST_CASE("a check judges processes that begin in other directories", "[hosts][script]") {
  FreshDirectory directory;
  fs::create_directory(directory / "other");
  const std::string command = "cd other && " + host_path("mismatched_frees");
  const Outcome outcome =
      run({{kScript, "--check", "--build-dir", paths::kBuild, "--", "/bin/sh", "-c", command + "; :"},
           plain_environment(),
           directory.path(),
           "",
           {}});
  INFO(outcome.err);
  CHECK(outcome.exit_status == 1);
  CHECK(has(outcome.err, "mismatched free"));
  CHECK(fs::is_empty(directory / "other"));
}

TEST_CASE("with a directory for its output each run of the script has one of its own", "[hosts][script]") {
  FreshDirectory directory;
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = run_script(directory, {"-o", "all%p/traces/", "--", host_path("malloc_family")});
    INFO(outcome.err);
    CHECK(outcome.exit_status == 7);
    CHECK(has(outcome.err, "allocated"));
  }
  size_t runs = 0;
  for (const auto& entry : fs::directory_iterator(directory / "all%p/traces")) {
    CHECK(fs::exists(entry.path() / "trace.bin"));
    ++runs;
  }
  CHECK(runs == 2);
}
