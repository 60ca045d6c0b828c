// Programs that were started, as the traces of those who started them say, and left no trace of their own: nothing of
// them was seen. A program and its trace are one process: its pid, and when it began.
//
// Of a trace alone nobody can say that it is all there is: what is not given may lie beside those that are, in their
// directories, and was recorded then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gate/rules.h"
#include "gate/verdict.h"
#include "model/analysis.h"

namespace memprof {

class StartedPrograms {
 public:
  // A trace that is judged.
  void add(const Trace& trace);
  // A process that whoever calls has started.
  void add_command(uint32_t pid, const std::string& program);
  // Those without a trace, in the order of the traces. `is_allowed` is not decided.
  std::vector<UnrecordedProgram> unrecorded() const;

 private:
  struct Process {
    uint64_t run, start, start_ticks;
    uint32_t pid;
    format::Clock clock;
  };
  struct Started {
    UnrecordedProgram program;
    uint64_t run, start, ticks;          // start 0: unknown
    std::optional<format::Clock> clock;  // of the ticks; none: they say nothing
  };

  static Process process_of(const format::FileHeader& header);
  static bool is_trace_of(const Started& started, const Process& process);
  std::vector<Process> processes_beside() const;

  std::vector<std::string> paths_;
  std::vector<Process> processes_;
  std::vector<Started> started_;
};

// Adds what is not allowed to what the verdict did not see; equal ones once.
void judge_unrecorded(std::vector<UnrecordedProgram> programs, const Rules& rules, Verdict& verdict);

}  // namespace memprof
