#include "report/ending.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace memprof {

using format::EndState;

namespace {

// The recorded process, not another one that was given its number since.
bool is_alive(const format::FileHeader& header) {
  if (header.process_start == 0) return false;
  std::ifstream stat(fmt::format("/proc/{}/stat", header.pid));
  std::string line;
  if (!std::getline(stat, line)) return false;
  // Field 2 is a name in parentheses that may hold anything; field 22 counts from behind it.
  const size_t close = line.rfind(')');
  if (close == std::string::npos) return false;
  std::istringstream fields(line.substr(close + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number)
    if (!(fields >> field)) return false;
  return field == std::to_string(header.process_start);
}

}  // namespace

std::string ending_name(const TraceFile& file) {
  switch (file.header().end_state) {
    case EndState::exit: return "exit";
    case EndState::quick_exit: return "quick_exit";
    case EndState::immediate_exit: return "_exit";
    case EndState::exec: return "exec";
    case EndState::detached: return "detached";
    case EndState::running: break;
  }
  return is_alive(file.header()) ? "running" : "died";
}

std::string describe_ending(const TraceFile& file) {
  switch (file.header().end_state) {
    case EndState::exit: return "exited";
    case EndState::quick_exit: return "ended by quick_exit";
    case EndState::immediate_exit: return "ended by _exit";
    case EndState::exec: return "replaced itself by exec";
    case EndState::detached: return "went on after memprof was detached";
    case EndState::running: break;
  }
  return is_alive(file.header()) ? "still running" : "died without closing the trace (a signal?)";
}

uint64_t dropped_events(const TraceFile& file) {
  uint64_t sum = 0;
  for (uint64_t count : file.header().dropped_events) sum += count;
  return sum;
}

std::string drop_cause_name(uint32_t cause) {
  return cause < std::size(format::kDropCauseNames) ? format::kDropCauseNames[cause] : fmt::format("cause_{}", cause);
}

std::string misuse_name(uint32_t misuse) {
  return misuse < std::size(format::kMisuseNames) ? format::kMisuseNames[misuse] : fmt::format("misuse_{}", misuse);
}

std::string describe_misuse(uint32_t misuse) {
  switch (static_cast<format::Misuse>(misuse)) {
    case format::Misuse::unknown_pool: return "of a pool that does not exist, or no more";
    case format::Misuse::unknown_block: return "memprof_pool_free of a block that the pool does not hold";
    case format::Misuse::unknown_domain: return "of a domain that is not defined, or of mappings";
    case format::Misuse::pop_without_push: return "memprof_pop_tag without a memprof_push_tag before";
    case format::Misuse::too_many: return "more names, domains, pools or nested tags than there is room for";
    case format::Misuse::too_large: return "of a block of 2^56 bytes or more";
    case format::Misuse::empty_name: return "a tag, type or domain without a name";
  }
  return misuse_name(misuse);
}

std::string describe_drop_cause(uint32_t cause) {
  switch (static_cast<format::DropCause>(cause)) {
    case format::DropCause::nested: return "signal handlers nested too deep";
    case format::DropCause::no_space: return "the disk or the quota was full";
    case format::DropCause::file_limit: return "the file size limit (ulimit -f) was reached";
    case format::DropCause::trace_limit: return "MEMPROF_LIMIT was reached";
    case format::DropCause::file_lost: return "the program closed the trace's descriptor";
    case format::DropCause::no_memory: return "no memory for the recorder";
    case format::DropCause::io_error: return "the trace could not be written";
    case format::DropCause::table_full: return "a counter reached its limit";
    case format::DropCause::no_syscalls: return "a seccomp filter forbids growing the trace";
    case format::DropCause::after_end: return "the program went on after the end of its exit";
    case format::DropCause::interrupted: return "a signal handler jumped out of the recorder";
    case format::DropCause::too_large: return "of a block or mapping of 2^56 bytes or more";
  }
  return drop_cause_name(cause);
}

}  // namespace memprof
