// Where the trace goes, and what happens when it cannot.
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

Outcome record(const fs::path& directory, const std::vector<std::string>& settings,
               const std::vector<std::string>& arguments = {"1000"}) {
  std::vector<std::string> command = {host_path("churn")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run({command, recording_environment(settings), directory, "", {}});
}

bool is_one_line(const std::string& text) {
  return text.starts_with("memprof: ") && text.find('\n') == text.size() - 1;
}

size_t count_files(const fs::path& directory) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(directory)) count += entry.is_regular_file();
  return count;
}

void check_runs_on(const Outcome& outcome) {
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.out.find("expect open 1\n") != std::string::npos);
  INFO("stderr: " << outcome.err);
  CHECK(is_one_line(outcome.err));
}

// Until a process sleeps in openat, as the kernel tells.
void wait_until_it_opens(pid_t pid) {
  const std::string openat = std::to_string(SYS_openat) + " ";
  while (!read_file("/proc/" + std::to_string(pid) + "/syscall").starts_with(openat)) sched_yield();
}

// A tmpfs of `bytes` on `directory`, in a mount namespace that only this test process is in. False when not allowed.
bool mount_small(const fs::path& directory, const std::string& options) {
  if (unshare(CLONE_NEWNS) != 0) return false;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return mount("tmpfs", directory.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

}  // namespace

TEST_CASE("a trace is private, and named trace.bin", "[hosts][output]") {
  FreshDirectory directory;
  umask(0);
  const Outcome outcome = record(directory.path(), {});
  CHECK(outcome.err.empty());
  struct stat status {};
  REQUIRE(stat((directory / "trace.bin").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(Trace(directory / "trace.bin").complete());
}

TEST_CASE("%p, %e, %n and %% in the name of the trace", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome first = record(directory.path(), {"MEMPROF_OUTPUT=%e.%p.%n.100%%.trace"});
  CHECK(fs::exists(directory / ("churn." + std::to_string(first.pid) + ".0.100%.trace")));
  for (const char* name : {"run.0", "run.1", "run.2"}) {
    record(directory.path(), {"MEMPROF_OUTPUT=run.%n"});
    CHECK(fs::exists(directory / name));
  }
  CHECK(count_files(directory.path()) == 4);
  const fs::path other = directory / "other";
  fs::create_directory(other);
  record(directory.path(), {"MEMPROF_OUTPUT=" + (other / "abs.bin").string()});
  CHECK(Trace(other / "abs.bin").complete());
}

TEST_CASE("a finished trace becomes trace.bin.old, and only the one before is kept", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome first = record(directory.path(), {});
  const Outcome second = record(directory.path(), {});
  CHECK(Trace(directory / "trace.bin").pid() == static_cast<uint64_t>(second.pid));
  CHECK(Trace(directory / "trace.bin.old").pid() == static_cast<uint64_t>(first.pid));
  const Outcome third = record(directory.path(), {});
  CHECK(Trace(directory / "trace.bin").pid() == static_cast<uint64_t>(third.pid));
  CHECK(Trace(directory / "trace.bin.old").pid() == static_cast<uint64_t>(second.pid));
  CHECK(first.err + second.err + third.err == "");
  CHECK(count_files(directory.path()) == 2);
}

TEST_CASE("the trace that a living process writes is left alone", "[hosts][output]") {
  FreshDirectory directory;
  Process living({{host_path("waits_for_input")}, recording_environment(), directory.path(), "", {}});
  REQUIRE(living.wait_for_output("ready\n"));
  const Outcome newcomer = record(directory.path(), {});
  // And it can be read while it grows.
  const Trace so_far(directory / "trace.bin");
  CHECK(so_far.pid() == static_cast<uint64_t>(living.pid()));
  CHECK_FALSE(so_far.complete());
  CHECK(so_far.allocations() == 101);
  const Outcome outcome = living.finish();
  CHECK(outcome.out == "ready\ndone\n");
  const Trace whole(directory / "trace.bin");
  CHECK(whole.allocations() == 201);
  CHECK(whole.complete());
  const Trace other(directory / ("trace." + std::to_string(newcomer.pid) + ".bin"));
  CHECK(other.allocations() == expected(newcomer, "allocations"));
}

TEST_CASE("a finished trace that has the name trace.bin.old already", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome first = record(directory.path(), {});
  fs::create_hard_link(directory / "trace.bin", directory / "trace.bin.old");
  const Outcome second = record(directory.path(), {});
  CHECK(first.err + second.err == "");
  CHECK(Trace(directory / "trace.bin.old").pid() == static_cast<uint64_t>(first.pid));
  CHECK(Trace(directory / "trace.bin").pid() == static_cast<uint64_t>(second.pid));
}

TEST_CASE("a finished trace that somebody has locked is left alone", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome first = record(directory.path(), {});
  const int fd = open((directory / "trace.bin").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(flock(fd, LOCK_EX) == 0);
  const Outcome second = record(directory.path(), {});
  close(fd);
  CHECK(first.err + second.err == "");
  CHECK(Trace(directory / "trace.bin").pid() == static_cast<uint64_t>(first.pid));
  const Trace other(directory / ("trace." + std::to_string(second.pid) + ".bin"));
  CHECK(other.allocations() == expected(second, "allocations"));
}

TEST_CASE("a missing directory: the program runs on, one line says so", "[hosts][output]") {
  FreshDirectory directory;
  check_runs_on(record(directory.path(), {"MEMPROF_OUTPUT=no/such/directory/trace.bin"}));
}

TEST_CASE("a directory, a link, a fifo or somebody's file in the trace's place is left alone", "[hosts][output]") {
  FreshDirectory directory;
  const fs::path place = directory / "trace.bin";
  SECTION("a directory") {
    fs::create_directory(place);
    check_runs_on(record(directory.path(), {}));
    CHECK(fs::is_directory(place));
  }
  SECTION("a link to a file") {
    write_file(directory / "precious", "precious");
    fs::create_symlink("precious", place);
    check_runs_on(record(directory.path(), {}));
    CHECK(read_file(directory / "precious") == "precious");
    CHECK(fs::is_symlink(place));
  }
  SECTION("a link to nothing") {
    fs::create_symlink("nothing", place);
    check_runs_on(record(directory.path(), {}));
    CHECK_FALSE(fs::exists(directory / "nothing"));
  }
  SECTION("a fifo") {
    REQUIRE(mkfifo(place.c_str(), 0600) == 0);
    check_runs_on(record(directory.path(), {}));
    CHECK(fs::is_fifo(place));
  }
  SECTION("a fifo with a writer that waits for its reader") {
    REQUIRE(mkfifo(place.c_str(), 0600) == 0);
    Process writer({{"sh", "-c", "echo data >trace.bin"}, plain_environment(), directory.path(), "", {}});
    wait_until_it_opens(writer.pid());
    check_runs_on(record(directory.path(), {}));
    const int reader = open(place.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(writer.finish().exit_status == 0);
    char data[8] = {};
    CHECK(read(reader, data, sizeof(data)) == 5);
    close(reader);
  }
  SECTION("a file of somebody") {
    write_file(place, "a file that is no trace\n");
    check_runs_on(record(directory.path(), {}));
    CHECK(read_file(place) == "a file that is no trace\n");
    CHECK_FALSE(fs::exists(directory / "trace.bin.old"));
  }
}

TEST_CASE("a directory without write permission", "[hosts][output]") {
  FreshDirectory directory;
  fs::permissions(directory.path(),
                  fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  const auto give_up_root = [] {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(125);
  };
  check_runs_on(run({{host_path("churn"), "1000"}, recording_environment(), directory.path(), "", give_up_root}));
  CHECK(count_files(directory.path()) == 0);
  fs::permissions(directory.path(), fs::perms::owner_all);
}

TEST_CASE("a full disk stops the recording, not the program", "[hosts][output]") {
  for (const std::string size : {"64k", "1m"}) {
    INFO("a disk of " << size);
    FreshDirectory directory;
    const fs::path full = directory / "full";
    const fs::path outside = directory / "outside";
    fs::create_directory(full);
    fs::create_directory(outside);
    constexpr int kNotAllowed = 125;
    // The mount ends with the process that made it, so the trace is copied out before.
    const std::string script = "cd '" + full.string() + "' && LD_PRELOAD='" + paths::kLibrary + "' '" +
                               host_path("churn") + "' 200000; status=$?; cp trace.bin ../outside; exit $status";
    const Outcome outcome = run({{"/bin/sh", "-c", script}, plain_environment(), directory.path(), "", [&] {
                                   if (!mount_small(full, "size=" + size)) _exit(kNotAllowed);
                                 }});
    if (outcome.exit_status == kNotAllowed) return skip("mounting a small tmpfs needs the right to mount");
    check_runs_on(outcome);
    const Trace trace(outside / "trace.bin");
    CHECK(trace.summary().at("dropped").at("no_space") == trace.dropped());
    CHECK(trace.allocations() + trace.frees() + trace.dropped() ==
          expected(outcome, "allocations") + expected(outcome, "frees"));
  }
}

TEST_CASE("limits on the size of files, on descriptors and on memory stop the recording, not the program",
          "[hosts][output]") {
  struct Case {
    const char* limit;
    const char* value;
    bool may_drop;
  };
  for (const Case& one : {Case{"fsize", "0", true}, Case{"fsize", "100000", true}, Case{"nofile", "3", false},
                          Case{"nofile", "0", false}}) {
    INFO(one.limit << " " << one.value);
    FreshDirectory directory;
    const Outcome outcome = record(directory.path(), {}, {"200000", one.limit, one.value});
    CHECK(outcome.signal == 0);
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.out.find("expect open 1\n") != std::string::npos);
    const Trace trace(directory / "trace.bin");
    CHECK(trace.frees() <= trace.allocations());
    if (one.may_drop) {
      CHECK(trace.summary().at("dropped").at("file_limit") > 0);
      CHECK(is_one_line(outcome.err));
      CHECK(trace.allocations() >= 200000);
    } else {
      CHECK(outcome.err.empty());
      CHECK(trace.allocations() == expected(outcome, "allocations"));
    }
  }
}

TEST_CASE("three descriptors and no more from the start", "[hosts][output]") {
  FreshDirectory directory;
  const auto three_descriptors = [] {
    const rlimit limit{3, 3};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(125);
  };
  // The loader itself cannot open its libraries then: the program must fail in the same way.
  const Outcome native =
      run({{host_path("churn"), "10"}, plain_environment(), directory.path(), "", three_descriptors});
  const Outcome outcome =
      run({{host_path("churn"), "10"}, recording_environment(), directory.path(), "", three_descriptors});
  CHECK(outcome.exit_status == native.exit_status);
  CHECK(outcome.signal == native.signal);
}

TEST_CASE("MEMPROF_LIMIT ends the recording, and the trace says so", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome outcome = record(directory.path(), {"MEMPROF_LIMIT=1M"}, {"500000"});
  check_runs_on(outcome);
  CHECK(fs::file_size(directory / "trace.bin") <= 1u << 20);
  const Trace trace(directory / "trace.bin");
  CHECK(trace.summary().at("dropped").at("trace_limit") == trace.dropped());
  CHECK(trace.dropped() > 0);
  CHECK(trace.allocations() + trace.frees() + trace.dropped() ==
        expected(outcome, "allocations") + expected(outcome, "frees"));
}

TEST_CASE("a program that closes or replaces every descriptor keeps its files to itself", "[hosts][output]") {
  for (const char* how : {"close", "closefrom", "close_range", "dup2"}) {
    INFO(how);
    const HostRun host({"reuses_descriptors", how});
    CHECK(host.recorded().out.find("somebody else: 0\n") != std::string::npos);
    const Trace trace = host.trace();
    CHECK(trace.allocations() == expected(host.recorded(), "allocations"));
    CHECK(trace.frees() == expected(host.recorded(), "frees"));
    CHECK(trace.dropped() == 0);
  }
}

TEST_CASE("memprof's descriptor leaves the kernel's table of them small, which each fork copies", "[hosts][output]") {
  FreshDirectory directory;
  const auto many_descriptors = [] {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(125);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(125);
  };
  const Outcome outcome =
      run({{"grep", "FDSize", "/proc/self/status"}, recording_environment(), directory.path(), "", many_descriptors});
  REQUIRE(outcome.out.starts_with("FDSize:"));
  CHECK(std::stoul(outcome.out.substr(7)) <= 1024);
  CHECK(Trace(directory / "trace.bin").complete());
}

TEST_CASE("a program that changes its directory keeps one trace, where it began", "[hosts][output]") {
  FreshDirectory directory;
  fs::create_directory(directory / "elsewhere");
  const Outcome outcome = record(directory.path(), {}, {"100000", "chdir", "elsewhere"});
  CHECK(outcome.err.empty());
  CHECK(fs::is_empty(directory / "elsewhere"));
  const Trace trace(directory / "trace.bin");
  CHECK(trace.allocations() == expected(outcome, "allocations"));
}

TEST_CASE("a program that changes its root keeps its trace", "[hosts][output]") {
  if (geteuid() != 0) return skip("chroot needs root");
  FreshDirectory directory;
  fs::create_directory(directory / "root");
  const Outcome outcome = record(directory.path(), {}, {"100000", "chroot", "root"});
  CHECK(outcome.out.find("no chroot") == std::string::npos);
  CHECK(outcome.err.empty());
  const Trace trace(directory / "trace.bin");
  CHECK(trace.allocations() == expected(outcome, "allocations"));
  CHECK(trace.complete());
}

TEST_CASE("a directory that moves away while its trace is written", "[hosts][output]") {
  FreshDirectory directory;
  fs::create_directory(directory / "record-here");
  const Outcome outcome =
      record(directory.path(), {"MEMPROF_OUTPUT=record-here/trace.bin"}, {"100000", "rename", "moved"});
  CHECK(outcome.err.empty());
  const Trace trace(directory / "moved" / "trace.bin");
  CHECK(trace.allocations() == expected(outcome, "allocations"));
  CHECK_FALSE(fs::exists(directory / "record-here"));
}
