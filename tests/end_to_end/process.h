// Runs a program with a stated environment and directory, and waits for it and for every process that it leaves
// behind, so that all traces are complete when finish() returns.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace memprof::tests {

struct Command {
  std::vector<std::string> arguments;  // the first is the program, looked up in PATH when it holds no slash
  std::vector<std::string> environment;
  std::filesystem::path directory;
  std::string input;                  // on standard input, which then ends
  std::function<void()> before_exec;  // in the new process: limits, mounts
};

struct Outcome {
  int exit_status = -1;  // -1 after a death by signal
  int signal = 0;
  std::string out;
  std::string err;
  pid_t pid = 0;
};

class Process {
 public:
  explicit Process(const Command& command);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  // Reads standard output until it holds `text`. False when it ends before.
  bool wait_for_output(const std::string& text);
  void write_input(const std::string& text);
  void close_input();
  // Waits for the end of the program and of all its descendants. A program that hangs is killed and throws.
  Outcome finish();

 private:
  bool read_some();
  void kill_all();

  pid_t pid_ = -1;
  int input_ = -1;
  int out_ = -1;
  int err_ = -1;
  bool finished_ = false;
  std::string program_;
  Outcome outcome_;
};

Outcome run(const Command& command);

}  // namespace memprof::tests
