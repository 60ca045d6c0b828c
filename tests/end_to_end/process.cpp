#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace memprof::tests {
namespace {

// Only a hang is ended by the clock; nothing is asserted about time. Slow machines and sanitizers fit well inside.
constexpr int kHangSeconds = 240;

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void make_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
}

std::vector<char*> as_pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// A process that outlives its parent becomes our child, so that it can be waited for; SIGCHLD is blocked for
// sigtimedwait, and a broken input pipe is an error of the program under test, not a death of ours.
void prepare_once() {
  static const bool done = [] {
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) throw_errno("PR_SET_CHILD_SUBREAPER");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  static_cast<void>(done);
}

void restore_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
}

// Programs that run now. The children of one that is being finished are all children of ours but these.
std::set<pid_t> running;

std::vector<pid_t> children_left() {
  std::ifstream file("/proc/self/task/" + std::to_string(getpid()) + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) {
    if (!running.contains(child)) children.push_back(child);
  }
  return children;
}

void kill_children_left() {
  for (std::vector<pid_t> children = children_left(); !children.empty(); children = children_left()) {
    for (const pid_t child : children) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }
}

std::string resolve(const Command& command) {
  const std::string& program = command.arguments.at(0);
  if (program.find('/') != std::string::npos) return program;
  std::string path = "/usr/bin:/bin";
  for (const std::string& entry : command.environment) {
    if (entry.starts_with("PATH=")) path = entry.substr(5);
  }
  std::istringstream directories(path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw std::runtime_error("not in PATH: " + program);
}

}  // namespace

Process::Process(const Command& command) : program_(resolve(command)) {
  prepare_once();
  int in[2], out[2], err[2];
  make_pipe(in);
  make_pipe(out);
  make_pipe(err);
  std::vector<char*> arguments = as_pointers(command.arguments);
  std::vector<char*> environment = as_pointers(command.environment);
  pid_ = fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) {
    restore_signals();
    if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0 || chdir(command.directory.c_str()) != 0) {
      _exit(126);
    }
    if (command.before_exec) command.before_exec();
    execve(program_.c_str(), arguments.data(), environment.data());
    dprintf(2, "cannot execute %s: %s\n", program_.c_str(), strerror(errno));
    _exit(127);
  }
  running.insert(pid_);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  input_ = in[1];
  out_ = out[0];
  err_ = err[0];
  if (!command.input.empty()) write_input(command.input);
}

Process::~Process() {
  close_input();
  if (!finished_) kill_all();
  if (out_ >= 0) close(out_);
  if (err_ >= 0) close(err_);
}

void Process::kill_all() {
  running.erase(pid_);
  kill_children_left();
  finished_ = true;
}

void Process::write_input(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t bytes = write(input_, text.data() + done, text.size() - done);
    if (bytes < 0) return;
    done += static_cast<size_t>(bytes);
  }
}

void Process::close_input() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

bool Process::read_some() {
  pollfd fds[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  const int ready = poll(fds, 2, kHangSeconds * 1000);
  if (ready == 0) {
    kill_all();
    throw std::runtime_error("it hangs: " + program_ + "\nstdout so far: " + outcome_.out +
                             "\nstderr so far: " + outcome_.err);
  }
  if (ready < 0) throw_errno("poll");
  for (const pollfd& entry : fds) {
    if (entry.fd < 0 || entry.revents == 0) continue;
    char buffer[65536];
    const ssize_t bytes = read(entry.fd, buffer, sizeof(buffer));
    int& fd = entry.fd == out_ ? out_ : err_;
    if (bytes > 0) {
      (&fd == &out_ ? outcome_.out : outcome_.err).append(buffer, static_cast<size_t>(bytes));
    } else {
      close(fd);
      fd = -1;
    }
  }
  return out_ >= 0 || err_ >= 0;
}

bool Process::wait_for_output(const std::string& text) {
  while (outcome_.out.find(text) == std::string::npos) {
    if (out_ < 0 || !read_some()) return outcome_.out.find(text) != std::string::npos;
  }
  return true;
}

Outcome Process::finish() {
  close_input();
  while ((out_ >= 0 || err_ >= 0) && read_some()) {
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  const timespec limit{kHangSeconds, 0};
  running.erase(pid_);
  for (std::vector<pid_t> children = children_left(); !children.empty(); children = children_left()) {
    bool one_ended = false;
    for (const pid_t child : children) {
      int status = 0;
      if (waitpid(child, &status, WNOHANG) != child) continue;
      one_ended = true;
      if (child != pid_) continue;
      outcome_.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      outcome_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    if (!one_ended && sigtimedwait(&set, nullptr, &limit) < 0 && errno == EAGAIN) {
      kill_all();
      throw std::runtime_error("a process of it hangs: " + program_);
    }
  }
  finished_ = true;
  outcome_.pid = pid_;
  return outcome_;
}

Outcome run(const Command& command) { return Process(command).finish(); }

}  // namespace memprof::tests
