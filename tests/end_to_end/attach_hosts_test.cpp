// scripts/memprof --pid and --detach: recording a program that runs. And a trace that is read while it is written.
#include <elf.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "attaching.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kThreads = 4, kAllocations = 16, kKept = 10, kFreedLater = 3;  // of works_on_request

uint64_t sized(const std::vector<Json>& chunks, uint64_t bytes) {
  return count_if(chunks, [&](const Json& chunk) { return chunk.at("size") == bytes; });
}

// Turns `first` to `last` and nothing else, of a program that had a turn before.
void check_turns(const Trace& trace, uint64_t first, uint64_t last, bool tells_operators = true) {
  const uint64_t turns = last - first + 1;
  const std::vector<Json> chunks = trace.chunks();
  for (uint64_t turn = 0; turn < 8; ++turn) {
    const uint64_t times = turn >= first && turn <= last ? kThreads : 0;
    CHECK(sized(chunks, 1001 + turn) == kKept * times);
    for (const uint64_t bytes : {1501, 2001, 3001, 4001, 5000001}) CHECK(sized(chunks, bytes + turn) == times);
  }
  CHECK(trace.allocations() == turns * kThreads * kAllocations);
  CHECK(trace.open_chunks() == (turns * kKept - (turns - 1) * kFreedLater) * kThreads);
  CHECK(trace.orphans() == kFreedLater * kThreads);
  CHECK(trace.summary().at("orphaned").at("before_start") == kFreedLater * kThreads);
  CHECK(trace.summary().at("double_allocations") == 0);
  CHECK(trace.summary().at("mismatched_frees") == 0);
  CHECK(trace.summary().at("truncated_stacks") == 0);
  const uint64_t mappings = count_if(chunks, [](const Json& chunk) {
    return chunk.at("domain") == "mmap" && caller(chunk).starts_with("(anonymous namespace)::work");
  });
  CHECK(mappings == turns * kThreads);
  CHECK(trace.summary().at("trace").at("threads") == kThreads);
  CHECK(trace.dropped() == 0);
  const auto of = [&](const std::string& function) {
    return count_if(chunks, [&](const Json& chunk) { return chunk.at("allocator") == function; });
  };
  CHECK(of("new[]") == (tells_operators ? turns * kThreads : 0));
  CHECK(of("calloc") == turns * kThreads);
  CHECK(of("realloc") == turns * kThreads);
  CHECK(of("posix_memalign") == turns * kThreads);
  for (const Json& chunk : chunks) {
    if (chunk.at("domain") == "cpu" && chunk.at("size") > 1000 && chunk.at("state") == "open") {
      CHECK(caller(chunk).starts_with("(anonymous namespace)::work"));
    }
  }
}

}  // namespace

TEST_CASE("what a program does between attaching and detaching is recorded, and nothing else", "[hosts][attach]") {
  if (!may_attach()) return;
  const std::string host = GENERATE("works_on_request", "works_on_request_fixed");
  FreshDirectory directory;
  Worker worker(directory, host);
  worker.take_turn();
  const Outcome attached = attach(directory, worker.process());
  INFO(attached.err);
  REQUIRE(attached.exit_status == 0);
  CHECK(has(attached.err, "--detach " + std::to_string(worker.process().pid())));
  worker.take_turn();
  worker.take_turn();
  CHECK(Trace(directory / "trace.bin").summary().at("trace").at("end") == "running");
  const Outcome detached = detach(directory, worker.process());
  INFO(detached.err);
  REQUIRE(detached.exit_status == 0);
  worker.take_turn();
  const Trace trace(directory / "trace.bin");
  check_turns(trace, 1, 2);
  CHECK(trace.complete());
  CHECK(trace.summary().at("trace").at("end") == "detached");
  // Again, into another trace, to the program's end.
  const Outcome again = attach(directory, worker.process(), "again.bin");
  INFO(again.err);
  REQUIRE(again.exit_status == 0);
  worker.take_turn();
  worker.end();
  const Trace other(directory / "again.bin");
  check_turns(other, 4, 4);
  CHECK(other.complete());
  CHECK(other.summary().at("trace").at("end") == "exit");
  CHECK(Trace(directory / "trace.bin").summary() == trace.summary());
}

TEST_CASE("the malloc that the program has in place of libc's is the one that is hooked", "[hosts][attach]") {
  if (!may_attach()) return;
  const fs::path library = "/usr/lib/x86_64-linux-gnu/" +
                           std::string(GENERATE("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"));
  if (!fs::exists(library)) return skip(library.string() + " is not installed");
  INFO(library);
  FreshDirectory directory;
  std::vector<std::string> environment = plain_environment();
  environment.push_back("LD_PRELOAD=" + library.string());
  Worker worker(directory, "works_on_request", environment);
  worker.take_turn();
  const Outcome attached = attach(directory, worker.process());
  INFO(attached.err);
  REQUIRE(attached.exit_status == 0);
  worker.take_turn();
  worker.take_turn();
  REQUIRE(detach(directory, worker.process()).exit_status == 0);
  worker.take_turn();
  worker.end();
  // The others have one function for several names.
  check_turns(Trace(directory / "trace.bin"), 1, 2, library.filename() == "libjemalloc.so.2");
}

TEST_CASE("detaching gives the program its code, descriptors and signals back", "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Worker worker(directory);
  int looks = 0;
  const auto state = [&] {
    worker.take_turn();
    worker.tell("code", "code " + std::to_string(looks++) + ": ");
    const fs::path process = "/proc/" + std::to_string(worker.process().pid());
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(process / "fd")) all.push_back(fs::read_symlink(entry).string());
    const std::string status = read_file(process / "status");
    for (const char* const line : {"SigBlk", "SigIgn", "SigCgt"}) all.push_back(status.substr(status.find(line), 24));
    return all;
  };
  std::vector<std::string> environment = plain_environment();
  environment.push_back("MEMPROF_TOGGLE=SIGUSR2");
  const std::string pid = std::to_string(worker.process().pid());
  const std::vector<std::string> before = state();
  const Outcome attached = script(directory, {"--pid", pid}, environment);
  INFO(attached.err);
  REQUIRE(attached.exit_status == 0);
  CHECK(state() != before);
  REQUIRE(detach(directory, worker.process()).exit_status == 0);
  CHECK(state() == before);
  const std::string out = worker.end().out;
  const auto code = [&](int look) {
    const size_t at = out.find(": ", out.find("code " + std::to_string(look)));
    return out.substr(at, out.find('\n', at) - at);
  };
  CHECK(code(0) != code(1));
  CHECK(code(0) == code(2));
}

TEST_CASE("a child that an attached program forks has a trace of its own", "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Worker worker(directory);
  worker.take_turn();
  REQUIRE(attach(directory, worker.process()).exit_status == 0);
  worker.tell("fork", "child 3\n");
  worker.end();
  const std::vector<Trace> traces = traces_in(directory.path());
  REQUIRE(traces.size() == 2);
  CHECK(traces[0].summary().at("trace").at("end") == "exit");
  CHECK(traces[1].allocations() == kAllocations);
  CHECK(traces[1].inherited() == kFreedLater);
  CHECK(traces[1].unknown_orphans() == 0);
  CHECK(traces[1].summary().at("trace").at("end") == "exit");
}

TEST_CASE("threads that begin and end after attaching: what glibc frees for itself then is no free of a block",
          "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Worker worker(directory);
  REQUIRE(attach(directory, worker.process()).exit_status == 0);
  worker.tell("threads", "threads ended\n");
  worker.end();
  const Trace trace(directory / "trace.bin");
  const std::vector<Json> closed = trace.chunks("closed");
  CHECK(sized(closed, 77) == 50);
  CHECK(sized(closed, 777) == 50);
  CHECK(trace.orphans() == 0);
  CHECK(count_if(trace.chunks(), [](const Json& chunk) { return stack_names(chunk, "begin_and_end"); }) == 100);
}

TEST_CASE("obstacks after attaching", "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Worker worker(directory);
  worker.tell("obstack", "obstack is empty\n");
  REQUIRE(attach(directory, worker.process()).exit_status == 0);
  worker.tell("obstack", "obstack is empty\n");
  worker.end();
  const Trace trace(directory / "trace.bin");
  const auto in_pool = [](const Json& chunk) { return chunk.at("domain") == "pool"; };
  CHECK(count_if(trace.chunks("closed"), in_pool) == 8);
  CHECK(count_if(trace.chunks("open"), in_pool) == 1);  // that of the first object
  CHECK(trace.orphans() == 0);
}

TEST_CASE("a library that a program opens itself does nothing until memprof is attached", "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Worker worker(directory);
  worker.tell(std::string("open ") + paths::kLibrary, "opened 1\n");
  worker.take_turn();
  CHECK(fs::is_empty(directory.path()));
  const Outcome nothing = detach(directory, worker.process());
  CHECK(nothing.exit_status == 1);
  CHECK(has(nothing.err, "not attached"));
  REQUIRE(attach(directory, worker.process()).exit_status == 0);
  worker.take_turn();
  worker.end();
  check_turns(Trace(directory / "trace.bin"), 1, 1);
}

TEST_CASE("settings of the script are those of the recording", "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  Worker worker(directory);
  const std::string pid = std::to_string(worker.process().pid());
  const Outcome bad = script(directory, {"--pid", pid, "-o", "bad/trace.bin"});
  CHECK(bad.exit_status == 1);
  CHECK(has(bad.err, "bad"));
  const Outcome attached =
      script(directory, {"--pid", pid, "-o", "%e.%p.bin", "--filter=allocator=calloc", "-d", "none"});
  INFO(attached.err);
  REQUIRE(attached.exit_status == 0);
  CHECK(has(attached.err, "MEMPROF_MAX_DEPTH: expected"));
  worker.take_turn();
  CHECK(worker.end().err.empty());
  const Trace trace(directory / ("works_on_request." + pid + ".bin"));
  CHECK(trace.allocations() == kThreads);
}

TEST_CASE("a Python that waits for its input is recorded, with threads that begin later", "[hosts][attach]") {
  if (!may_attach()) return;
  FreshDirectory directory;
  const Outcome found = run({{"python3", "-c", "import os, sys; print(os.path.realpath(sys.executable), end='')"},
                             {"PATH=" + std::string(getenv("PATH")), "HOME=" + std::string(getenv("HOME"))},
                             directory.path(),
                             "",
                             {}});
  if (found.exit_status != 0) return skip("there is no python3");
  const std::string program = R"(
import sys, threading
kept = []
def work(): kept.extend(bytearray(100000) for _ in range(50))
print("ready", flush=True)
for line in sys.stdin:
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print("did", line, flush=True)
print(len(kept))
)";
  Process python({{found.out, "-c", program}, plain_environment(), directory.path(), "", {}});
  REQUIRE(python.wait_for_output("ready\n"));
  python.write_input("one\n");
  REQUIRE(python.wait_for_output("did one\n"));
  const Outcome attached = attach(directory, python);
  INFO(attached.err);
  REQUIRE(attached.exit_status == 0);
  python.write_input("two\n");
  REQUIRE(python.wait_for_output("did two\n"));
  REQUIRE(detach(directory, python).exit_status == 0);
  python.write_input("three\n");
  REQUIRE(python.wait_for_output("did three\n"));
  const Outcome outcome = python.finish();
  CHECK(has(outcome.out, "\n450\n"));
  CHECK(outcome.err.empty());
  CHECK(outcome.exit_status == 0);
  const Trace trace(directory / "trace.bin");
  const std::vector<Json> chunks = trace.chunks("open");
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size").get<uint64_t>() / 100 == 1000; }) == 150);
  CHECK(trace.summary().at("trace").at("threads") == 4);
  CHECK(trace.unknown_orphans() == 0);
  CHECK(trace.complete());
}

// glibc keeps 512 bytes for libraries that come late and want to lie in every thread's block
// (rtld.optional_static_tls); the first to come may have used some.
TEST_CASE("the library's thread-local memory fits into a program that runs", "[hosts][attach]") {
  const std::string library = read_file(paths::kLibrary);
  Elf64_Ehdr header;
  REQUIRE(library.size() > sizeof header);
  memcpy(&header, library.data(), sizeof header);
  uint64_t bytes = 0;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, library.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_TLS) bytes = segment.p_memsz;
  }
  CHECK(bytes > 0);
  CHECK(bytes <= 256);
}

TEST_CASE("the installed script records, attaches and detaches", "[hosts][attach]") {
  FreshDirectory directory;
  const Outcome installed =
      run({{"meson", "install", "-C", paths::kBuild, "--no-rebuild", "--quiet", "--destdir", directory.path().string()},
           plain_environment(),
           "/",
           "",
           {}});
  INFO(installed.out << installed.err);
  REQUIRE(installed.exit_status == 0);
  std::string memprof;
  for (const auto& entry : fs::recursive_directory_iterator(directory.path()))
    if (entry.path().filename() == "memprof" && entry.path().parent_path().filename() == "bin") memprof = entry.path();
  REQUIRE_FALSE(memprof.empty());
  const auto installed_script = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {memprof};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run({command, plain_environment(), directory.path(), "", {}});
  };
  const Outcome recorded = installed_script({"-o", "run.bin", "--", host_path("waits_for_input")});
  INFO(recorded.err);
  CHECK(recorded.exit_status == 0);
  CHECK(Trace(directory / "run.bin").allocations() == 201);
  if (!may_attach()) return;
  Worker worker(directory);
  worker.take_turn();
  const std::string pid = std::to_string(worker.process().pid());
  const Outcome attached = installed_script({"--pid", pid, "-o", "attached.bin"});
  INFO(attached.err);
  CHECK(attached.exit_status == 0);
  worker.take_turn();
  const Outcome detached = installed_script({"--detach", pid});
  INFO(detached.err);
  CHECK(detached.exit_status == 0);
  worker.end();
  check_turns(Trace(directory / "attached.bin"), 1, 1);
}

TEST_CASE("a trace is analysed while its program runs", "[hosts][attach]") {
  FreshDirectory directory;
  Process process({{host_path("waits_for_input")}, recording_environment(), directory.path(), "", {}});
  REQUIRE(process.wait_for_output("ready\n"));
  {
    const Trace trace(directory / "trace.bin");
    CHECK(trace.allocations() == 101);
    CHECK(trace.open_chunks() == 1);
    CHECK_FALSE(trace.complete());
    CHECK(trace.summary().at("trace").at("end") == "running");
    const std::vector<Json> open = trace.chunks("open");
    REQUIRE(open.size() == 1);
    CHECK(open[0].at("size") == 811);
    CHECK(caller(open[0]) == "main");
    CHECK(has(analyze({(directory / "trace.bin").string()}).out, "still running"));
  }
  CHECK(process.finish().out == "ready\ndone\n");
  CHECK(Trace(directory / "trace.bin").allocations() == 201);
  CHECK(Trace(directory / "trace.bin").complete());
}
