// Programs that cannot be recorded while they run: why, and that they are left alone.
#include <elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "attaching.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

TEST_CASE("the script says why a process cannot be recorded", "[hosts][attach_refusals]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  const auto is_refused = [&](const Outcome& outcome, const std::string& why) {
    INFO(outcome.err);
    CHECK(outcome.exit_status == 1);
    CHECK(outcome.out.empty());
    CHECK(has(outcome.err, why));
  };
  Worker worker(directory);
  const std::string pid = std::to_string(worker.process().pid());

  is_refused(script(directory, {"--pid", "99999999"}), "there is no process 99999999");
  is_refused(script(directory, {"--detach", pid}), "not attached to process " + pid);
  for (const std::vector<std::string>& bad :
       std::vector<std::vector<std::string>>{{"--pid", "me"}, {"--pid", pid, "--", "ls"}, {"--detach"}}) {
    CHECK(script(directory, bad).exit_status == 2);
  }

  Process preloaded({{host_path("waits_for_input")}, recording_environment(), directory.path(), "", {}});
  REQUIRE(preloaded.wait_for_output("ready\n"));
  const std::string recorded = std::to_string(preloaded.pid());
  is_refused(script(directory, {"--pid", recorded}), "recorded already");
  is_refused(script(directory, {"--detach", recorded}), "was preloaded");
  CHECK(has(preloaded.finish().out, "done\n"));

  Process static_program({{host_path("static_program"), "wait"}, plain_environment(), directory.path(), "", {}});
  is_refused(script(directory, {"--pid", std::to_string(static_program.pid())}), "linked statically");
  CHECK(static_program.finish().exit_status == 4);

  REQUIRE(ptrace(PTRACE_SEIZE, worker.process().pid(), 0, 0) == 0);
  is_refused(script(directory, {"--pid", pid}), "traced by process " + std::to_string(getpid()));
  ptrace(PTRACE_INTERRUPT, worker.process().pid(), 0, 0);
  waitpid(worker.process().pid(), nullptr, 0);
  REQUIRE(ptrace(PTRACE_DETACH, worker.process().pid(), 0, 0) == 0);

  // A library that is none, and one that others have.
  fs::create_directories(directory / "build/preload");
  fs::create_directories(directory / "build/analyzer");
  write_file(directory / "build/preload/libmemprof.so", "no library");
  fs::create_symlink(paths::kAnalyzer, directory / "build/analyzer/memprof-analyze");
  const auto with_other = [&] {
    return run({{kScript, "--build-dir", (directory / "build").string(), "--pid", pid},
                plain_environment(),
                directory.path(),
                "",
                {}});
  };
  is_refused(with_other(), "libmemprof.so cannot be loaded: ");
  REQUIRE(attach(directory, worker.process(), "mine.bin").exit_status == 0);
  is_refused(with_other(), "has another libmemprof.so loaded");
  is_refused(attach(directory, worker.process()), "recorded already");
  REQUIRE(detach(directory, worker.process()).exit_status == 0);

  // Without gdb among the tools.
  fs::create_directory(directory / "bin");
  for (const char* const tool : {"bash", "env", "readlink", "dirname", "sed", "awk", "sort", "grep", "uname", "head"}) {
    const Outcome found = run({{"sh", "-c", std::string("command -v ") + tool}, plain_environment(), "/", "", {}});
    fs::create_symlink(found.out.substr(0, found.out.find('\n')), directory / "bin" / tool);
  }
  is_refused(script(directory, {"--pid", pid}, {"PATH=" + (directory / "bin").string()}), "apt-get install gdb");
  worker.end();
}

TEST_CASE("a process that ends while memprof looks at it is said to have ended", "[hosts][attach_refusals]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Process process({{host_path("waits_for_input")}, plain_environment(), directory.path(), "", {}});
  REQUIRE(process.wait_for_output("ready\n"));
  // In gdb's place one that meets the process at its end.
  fs::create_directory(directory / "bin");
  std::ofstream(directory / "bin/gdb")
      << "#!/bin/sh\nkill -KILL \"$MEMPROF_ATTACH_PID\"\n"
         "while grep -q 'State:.[^Z]' \"/proc/$MEMPROF_ATTACH_PID/status\"; do :; done\n";
  fs::permissions(directory / "bin/gdb", fs::perms::owner_all);
  const std::vector<std::string> environment = {"PATH=" + (directory / "bin").string() + ":/usr/bin:/bin"};
  const Outcome outcome = script(directory, {"--pid", std::to_string(process.pid()), "-o", "trace.bin"}, environment);
  CHECK(outcome.exit_status == 1);
  CHECK(outcome.err == "memprof: process " + std::to_string(process.pid()) + " has ended meanwhile\n");
  process.finish();
}

TEST_CASE("a process of somebody else is not touched, and the script says what forbids it",
          "[hosts][attach_refusals]") {
  if (!may_attach()) return;
  if (geteuid() != 0) return skip("only root can become another user");
  FreshDirectory directory;
  Worker worker(directory);
  fs::permissions(directory.path(), fs::perms::all);
  const Outcome outcome = script(directory, {"--pid", std::to_string(worker.process().pid())}, plain_environment(), [] {
    constexpr uid_t kNobody = 65534;
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(99);
  });
  INFO(outcome.err);
  if (outcome.exit_status == 126 || outcome.exit_status == 127) return skip("nobody may not read the script");
  CHECK(outcome.exit_status == 1);
  CHECK(has(outcome.err, "may not be traced"));
  worker.end();
}

TEST_CASE("a process under a seccomp filter is not touched", "[hosts][attach_refusals]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Process confined({{host_path("waits_for_input")}, plain_environment(), directory.path(), "", [] {
                      sock_filter allow_all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
                      const sock_fprog filter{1, allow_all};
                      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
                    }});
  REQUIRE(confined.wait_for_output("ready\n"));
  const Outcome outcome = attach(directory, confined);
  INFO(outcome.err);
  CHECK(outcome.exit_status == 1);
  CHECK(has(outcome.err, "seccomp"));
  CHECK(confined.finish().out == "ready\ndone\n");
}
