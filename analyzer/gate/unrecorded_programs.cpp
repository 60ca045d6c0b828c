#include "gate/unrecorded_programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "report/frame_text.h"
#include "report/numbers.h"
#include "trace/trace_error.h"

namespace memprof {

namespace {

std::string name_of_starter(const Trace& trace) {
  const std::string& executable = trace.metadata.executable;
  return std::string(base_name(executable.empty() ? trace.file.name() : executable));
}

std::string describe(const UnrecordedProgram& program, uint64_t count) {
  const std::string name = program.name.empty() ? "another program" : program.name;
  const std::string others = count == 1 ? "" : fmt::format(" and {} more", format_count(count - 1));
  const std::string what = program.is_replacement ? fmt::format("{} (process {}{}) became {}, which was not recorded",
                                                                program.starter, program.pid, others, name)
                                                  : fmt::format("{} (process {}{}, started by {}) was not recorded",
                                                                name, program.pid, others, program.starter);
  return fmt::format("{}: static, set-user-ID or without LD_PRELOAD (--allow-unrecorded {} lets it pass)", what,
                     program.name.empty() ? "'*'" : base_name(program.name));
}

}  // namespace

StartedPrograms::Process StartedPrograms::process_of(const format::FileHeader& header) {
  return {header.run, header.process_start, header.start_ticks, header.pid, header.clock};
}

void StartedPrograms::add(const Trace& trace) {
  const format::FileHeader& header = trace.file.header();
  paths_.push_back(trace.file.name());
  processes_.push_back(process_of(header));
  const std::string starter = name_of_starter(trace);
  UnrecordedProgram successor{{}, starter, header.pid, true, false};
  uint64_t start = header.process_start;
  for (const Metadata::ProgramStart& program : trace.metadata.program_starts) {
    if (program.has_failed) continue;
    if (program.pid == header.pid) {
      successor.name = program.name;
      start = program.process_start;  // as its /proc has it now
    } else {
      started_.push_back({{program.name, starter, program.pid, false, false},
                          header.run,
                          program.process_start,
                          program.ticks,
                          header.clock});
    }
  }
  if (header.end_state == format::EndState::exec)
    started_.push_back({std::move(successor), header.run, start, header.end_ticks, header.clock});
}

void StartedPrograms::add_command(uint32_t pid, const std::string& program) {
  started_.push_back({{program, "the command line", pid, false, false}, 0, 0, 0, std::nullopt});
}

bool StartedPrograms::is_trace_of(const Started& started, const Process& process) {
  const bool is_known = started.start != 0 && process.start != 0;
  return process.pid == started.program.pid && (!is_known || process.start == started.start) &&
         (started.clock != process.clock || process.start_ticks >= started.ticks);
}

std::vector<StartedPrograms::Process> StartedPrograms::processes_beside() const {
  namespace fs = std::filesystem;
  std::set<fs::path> directories;
  for (const std::string& path : paths_) directories.insert(fs::absolute(path).parent_path());
  std::vector<Process> processes;
  for (const fs::path& directory : directories) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
      if (!at->is_regular_file(error)) continue;
      try {
        processes.push_back(process_of(TraceFile::open(at->path().string()).header()));
      } catch (const TraceError&) {
      }
    }
  }
  return processes;
}

std::vector<UnrecordedProgram> StartedPrograms::unrecorded() const {
  std::vector<const Started*> missing;
  for (const Started& started : started_)
    if (std::none_of(processes_.begin(), processes_.end(), [&](const Process& p) { return is_trace_of(started, p); }))
      missing.push_back(&started);
  if (missing.empty()) return {};
  const std::vector<Process> beside = processes_beside();
  std::vector<UnrecordedProgram> programs;
  for (const Started* started : missing)
    // What began in a run and lost its number is judged by nobody.
    if (std::none_of(beside.begin(), beside.end(), [&](const Process& process) {
          return is_trace_of(*started, process) && (process.run != 0 || started->run == 0);
        }))
      programs.push_back(started->program);
  return programs;
}

void judge_unrecorded(std::vector<UnrecordedProgram> programs, const Rules& rules, Verdict& verdict) {
  struct Group {
    const UnrecordedProgram* first;
    uint64_t count = 0;
  };
  std::vector<Group> groups;
  std::map<std::tuple<std::string, std::string, bool>, size_t> places;
  for (UnrecordedProgram& program : programs) {
    program.is_allowed =
        !rules.allowed_unrecorded.is_empty() &&
        rules.allowed_unrecorded.choose([&](const NamePattern& pattern) { return pattern.matches_path(program.name); });
    if (program.is_allowed) continue;
    const auto key = std::make_tuple(program.name, program.starter, program.is_replacement);
    const auto [place, is_new] = places.try_emplace(key, groups.size());
    if (is_new) groups.push_back({&program});
    ++groups[place->second].count;
  }
  for (const Group& group : groups) verdict.unseen.push_back(describe(*group.first, group.count));
  verdict.unrecorded = std::move(programs);
}

}  // namespace memprof
