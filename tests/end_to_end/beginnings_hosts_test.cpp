// What a process leaves behind that is killed before, while and just after it begins its trace.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

constexpr int kNotAllowed = 125;

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Runs the host up to its system call number `last`, from its execve on, and kills it there. False when it had ended.
bool run_and_kill(const fs::path& directory, int last) {
  std::vector<std::string> command = {host_path("churn"), "10"};
  std::vector<std::string> environment = recording_environment();
  const std::vector<char*> arguments = pointers_to(command), variables = pointers_to(environment);
  const pid_t pid = fork();
  if (pid == 0) {
    const bool ready = chdir(directory.c_str()) == 0 && freopen("/dev/null", "w", stdout) != nullptr;
    if (ready && ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0)
      execve(arguments[0], arguments.data(), variables.data());
    _exit(kNotAllowed);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  for (int stops = 0; WIFSTOPPED(status) && stops < last; ++stops) {
    ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
    waitpid(pid, &status, 0);
  }
  const bool alive = WIFSTOPPED(status);
  if (alive) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  }
  REQUIRE_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == kNotAllowed));
  return alive;
}

}  // namespace

TEST_CASE("a process that is killed at any system call leaves a trace or nothing", "[hosts][output]") {
  int left_nothing = 0, left_a_trace = 0;
  for (int last = 1;; ++last) {
    INFO("killed at stop " << last);
    FreshDirectory directory;
    if (!run_and_kill(directory.path(), last)) break;
    if (!fs::exists(directory / "trace.bin")) {
      CHECK(fs::is_empty(directory.path()));
      ++left_nothing;
      continue;
    }
    ++left_a_trace;
    const Trace trace(directory / "trace.bin");  // throws when it cannot be read
    CHECK(trace.allocations() - trace.frees() == trace.open_chunks());
  }
  CHECK(left_nothing > 20);
  CHECK(left_a_trace > 20);
}

TEST_CASE("an empty file that was made for the trace is taken", "[hosts][output]") {
  FreshDirectory directory;
  const auto record = [&] {
    return run({{host_path("churn"), "1000"}, recording_environment(), directory.path(), "", {}});
  };
  SECTION("by its owner") {
    write_file(directory / "trace.bin", "");
    const Outcome outcome = record();
    CHECK(outcome.err.empty());
    CHECK(Trace(directory / "trace.bin").allocations() == expected(outcome, "allocations"));
  }
  SECTION("not when the shell made it for the program's output") {
    const fs::path place = directory / "trace.bin";
    const auto redirect = [&] { dup2(open(place.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1); };
    const Outcome outcome =
        run({{host_path("churn"), "1000"}, recording_environment(), directory.path(), "", redirect});
    CHECK(outcome.err.find("found a file that is no finished trace") != std::string::npos);
    CHECK(read_file(place).find("expect open 1\n") != std::string::npos);
  }
  SECTION("not when it has another name, too") {
    write_file(directory / "other", "");
    fs::create_hard_link(directory / "other", directory / "trace.bin");
    CHECK(record().err.find("found a file that is no finished trace") != std::string::npos);
    CHECK(fs::is_empty(directory / "other"));
  }
}

TEST_CASE("without /proc the trace has its name from the beginning", "[hosts][output]") {
  FreshDirectory directory;
  const auto hide_proc = [] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/proc", "tmpfs", 0, "size=4k") != 0) {
      _exit(kNotAllowed);
    }
  };
  const Outcome outcome = run({{host_path("churn"), "1000"}, recording_environment(), directory.path(), "", hide_proc});
  if (outcome.exit_status == kNotAllowed) return skip("no right to mount over /proc");
  CHECK(outcome.err.empty());
  CHECK(Trace(directory / "trace.bin").allocations() == expected(outcome, "allocations"));
}

TEST_CASE("what memprof says about a name does not steer the terminal", "[hosts][output]") {
  FreshDirectory directory;
  const std::string name =
      "no/such\x1b[31m\xc2\x9b"
      "31m\r\nname";
  const Outcome outcome =
      run({{host_path("churn"), "10"}, recording_environment({"MEMPROF_OUTPUT=" + name}), directory.path(), "", {}});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err.find("no/such\\x1b[31m\\xc2\\x9b31m\\x0d\\x0aname: its directory is missing: ") !=
        std::string::npos);
  CHECK(outcome.err.find_first_of("\x1b\r\x9b") == std::string::npos);
}

TEST_CASE("what memprof says is left out where a write would kill or stop the program", "[hosts][output]") {
  FreshDirectory directory;
  const std::vector<std::string> settings =
      GENERATE(std::vector<std::string>{"MEMPROF_OUTPUT=no/such/trace.bin"},
               std::vector<std::string>{"MEMPROF_LIMIT=1"}, std::vector<std::string>{"MEMPROF_VERBOSE=1"});
  INFO(settings[0]);
  std::function<void()> replace_stderr;
  SECTION("a pipe that nobody reads any more") {
    replace_stderr = [] {
      int ends[2];
      if (pipe(ends) != 0 || dup2(ends[1], 2) != 2) _exit(kNotAllowed);
      close(ends[0]);
      close(ends[1]);
    };
  }
  SECTION("a pipe that is full") {
    replace_stderr = [] {
      int ends[2];
      if (pipe2(ends, O_NONBLOCK) != 0) _exit(kNotAllowed);
      while (write(ends[1], "x", 1) == 1) {
      }
      fcntl(ends[1], F_SETFL, 0);
      if (dup2(ends[1], 2) != 2) _exit(kNotAllowed);
    };
  }
  SECTION("a file as long as RLIMIT_FSIZE allows") {
    replace_stderr = [&] {
      const rlimit none{0, 0};
      const int fd = open((directory / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      if (dup2(fd, 2) != 2 || setrlimit(RLIMIT_FSIZE, &none) != 0) _exit(kNotAllowed);
    };
  }
  const auto run_with = [&](const std::vector<std::string>& environment) {
    return run({{host_path("churn"), "100000"}, environment, directory.path(), "", replace_stderr});
  };
  const Outcome native = run_with(plain_environment()), recorded = run_with(recording_environment(settings));
  REQUIRE(native.exit_status == 0);
  CHECK(recorded.exit_status == 0);
  CHECK(recorded.signal == 0);
  CHECK(recorded.out == native.out);
}
