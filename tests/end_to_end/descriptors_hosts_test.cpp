// The number of memprof's descriptor becomes another file's between two of its own system calls. The test stops the
// host there, as a tracer, and has it put the file in the number's place; a host's other thread could do the same.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <climits>
#include <csignal>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

constexpr int kPrecious = 20;
constexpr off_t kPreciousBytes = 64 << 20;

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The host, stopped at its execve, with the precious file open.
pid_t start_traced(const fs::path& directory, std::vector<std::string> command) {
  std::vector<std::string> environment = recording_environment();
  const std::vector<char*> arguments = pointers_to(command), variables = pointers_to(environment);
  const pid_t pid = fork();
  if (pid == 0) {
    const bool ready = chdir(directory.c_str()) == 0 && freopen("out", "w", stdout) != nullptr &&
                       freopen("err", "w", stderr) != nullptr &&
                       dup2(open("precious", O_RDWR | O_CLOEXEC), kPrecious) == kPrecious;
    if (ready && ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0)
      execve(arguments[0], arguments.data(), variables.data());
    _exit(125);
  }
  return pid;
}

#if defined(__x86_64__)

bool is_system_call(int status) { return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80); }

// To the next entry or exit of a system call, or the end; its signals are the host's.
int go_on(pid_t pid) {
  int status = 0;
  do {
    const long signal = WIFSTOPPED(status) && !is_system_call(status) ? WSTOPSIG(status) : 0;
    ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
    waitpid(pid, &status, 0);
  } while (WIFSTOPPED(status) && !is_system_call(status));
  return status;
}

// Not the header, which is mapped before the host runs.
bool maps_pages(const user_regs_struct& entered, size_t least_bytes) {
  return entered.orig_rax == SYS_mmap && (entered.r10 & MAP_TYPE) == MAP_SHARED && static_cast<int>(entered.r8) > 2 &&
         entered.r9 != 0 && entered.rsi >= least_bytes;
}

enum class Fate { other_file, closed };

// At the entry of a system call: makes it a dup2 of the precious file to the number that it is about to use, or a
// close, then goes back to it.
void replace_descriptor(pid_t pid, const user_regs_struct& entered, Fate fate) {
  constexpr int kSyscallBytes = 2;
  user_regs_struct other = entered;
  const bool closes = fate == Fate::closed;
  other.orig_rax = closes ? SYS_close : SYS_dup2;
  other.rdi = closes ? entered.r8 : kPrecious;
  other.rsi = entered.r8;
  ptrace(PTRACE_SETREGS, pid, nullptr, &other);
  go_on(pid);
  ptrace(PTRACE_GETREGS, pid, nullptr, &other);
  REQUIRE(other.rax == (closes ? 0 : entered.r8));
  other = entered;
  other.rip -= kSyscallBytes;
  other.rax = entered.orig_rax;
  ptrace(PTRACE_SETREGS, pid, nullptr, &other);
}

// Which mappings of pages of the trace are to be of another file: those of so many bytes and more, at most so many.
struct Which {
  size_t least_bytes;
  int most;
  Fate fate = Fate::other_file;
};

// Runs the host to its end. The exit status; -1 after a signal.
int run_and_replace(pid_t pid, const Which& which, int* replaced) {
  *replaced = 0;
  int status = 0;
  bool at_entry = false;
  waitpid(pid, &status, 0);
  ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (status = go_on(pid); WIFSTOPPED(status); status = go_on(pid)) {
    at_entry = !at_entry;
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
    if (!at_entry || *replaced == which.most || !maps_pages(registers, which.least_bytes)) continue;
    replace_descriptor(pid, registers, which.fate);
    at_entry = false;
    ++*replaced;
    status = go_on(pid);  // into the same call once more, now with the other file
    at_entry = true;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Replaced {
  FreshDirectory directory;
  int status = 0, replaced = 0;
};

void record(const std::vector<std::string>& command, const Which& which, Replaced* run) {
  const fs::path precious = run->directory / "precious";
  write_file(precious, "");
  REQUIRE(truncate(precious.c_str(), kPreciousBytes) == 0);
  run->status = run_and_replace(start_traced(run->directory.path(), command), which, &run->replaced);
  CHECK(run->replaced > 0);
  struct stat status {};
  REQUIRE(stat(precious.c_str(), &status) == 0);
  CHECK(status.st_size == kPreciousBytes);
  CHECK(status.st_blocks == 0);  // a hole from end to end, as it was
}

Outcome outcome_of(const Replaced& run) {
  Outcome outcome;
  outcome.exit_status = run.status;
  outcome.out = read_file(run.directory / "out");
  outcome.err = read_file(run.directory / "err");
  return outcome;
}

TEST_CASE("a descriptor that is closed, or another file's, as it is used leaves that file alone", "[hosts][output]") {
  const Fate fate = GENERATE(Fate::other_file, Fate::closed);
  INFO(static_cast<int>(fate));
  Replaced run;
  record({host_path("churn"), "100000"}, {0, 1, fate}, &run);
  CHECK(run.replaced == 1);
  const Outcome outcome = outcome_of(run);
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err.empty());
  const Trace trace(run.directory / "trace.bin");
  CHECK(trace.allocations() == expected(outcome, "allocations"));
  CHECK(trace.dropped() == 0);
  CHECK(trace.complete());
}

TEST_CASE("a descriptor that becomes another file's whenever it is used costs the recording", "[hosts][output]") {
  Replaced run;
  record({host_path("churn"), "100000"}, {0, INT_MAX}, &run);
  const Outcome outcome = outcome_of(run);
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err.find("descriptor") != std::string::npos);
  const Trace trace(run.directory / "trace.bin");
  CHECK(trace.summary().at("dropped").at("file_lost") == trace.dropped());
  CHECK(trace.dropped() > 0);
}

TEST_CASE("a descriptor that becomes another file's as pages are kept for a filter leaves that file alone",
          "[hosts][output]") {
  Replaced run;
  record({host_path("seccomp"), "threads"}, {8 << 20, 1}, &run);
  const Outcome outcome = outcome_of(run);
  CHECK(outcome.exit_status == 6);
  const Trace trace(run.directory / "trace.bin");
  CHECK(trace.frees() == expected(outcome, "frees"));
  CHECK(trace.dropped() == 0);
}

#else

TEST_CASE("a descriptor that becomes another file's as it is used leaves that file alone", "[hosts][output]") {
  skip("the test sets registers of x86-64");
}

#endif

}  // namespace
