// memprof-analyze: explains the trace of a program that libmemprof.so recorded.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "cli/command_line.h"
#include "cli/diagnostics.h"
#include "cli/exit_status.h"
#include "cli/run_command.h"
#include "report/escape.h"
#include "report/output.h"
#include "trace/trace_error.h"

// Read by jemalloc, unless the environment's MALLOC_CONF says otherwise. An analysis goes at random through tables of
// many MiB that it has just grown: with huge pages it takes a fifth less time, of page faults and of misses in the TLB.
// They cost memory where an arena is not full, so there is one; threads have caches of their own.
extern "C" const char* malloc_conf;
const char* malloc_conf = "thp:always,narenas:1";

namespace {

int fail(int status, const char* message) {
  memprof::say_on_stderr(fmt::format("memprof-analyze: {}\n", memprof::escape_text(message)));
  return status;
}

int run(int argc, char** argv) {
  const memprof::ParseResult parsed = memprof::parse_command_line({argv + 1, argv + argc});
  if (!parsed.is_final) {
    if (parsed.line.names_trace || access(parsed.line.trace.c_str(), F_OK) == 0) {
      return memprof::run_command(parsed.line, STDOUT_FILENO);
    }
    memprof::say_on_stderr(
        "memprof-analyze: no trace is named, and there is no trace.bin here (see memprof-analyze --help)\n");
    return memprof::kUsageError;
  }
  if (parsed.status != memprof::kDone) {
    memprof::say_on_stderr(parsed.text);
    return parsed.status;
  }
  memprof::Output out(STDOUT_FILENO);
  out.write(parsed.text);
  out.flush();
  return memprof::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe is an error of write(), reported by the exit status and not by a signal.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // so is a limit on the size of files
  try {
    return argc > 0 ? run(argc, argv) : memprof::kUsageError;
  } catch (const memprof::TraceError& error) {
    return fail(memprof::kTraceUnreadable, error.what());
  } catch (const memprof::OutputError& error) {
    return error.is_closed_pipe() ? memprof::kOtherError : fail(memprof::kOtherError, error.what());
  } catch (const std::bad_alloc&) {
    return fail(memprof::kOtherError, "out of memory");
  } catch (const std::exception& error) {
    return fail(memprof::kOtherError, error.what());
  }
}
