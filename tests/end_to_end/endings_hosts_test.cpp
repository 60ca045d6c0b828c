#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <random>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

constexpr uint64_t kReports = 1500;

uint64_t reports_of(const Outcome& outcome, int thread) {
  return static_cast<uint64_t>(std::count(outcome.out.begin(), outcome.out.end(), static_cast<char>('a' + thread)));
}

// Every block that a thread had reported is in the trace, but at most one.
void check_reported(const Trace& trace, const Outcome& outcome, int threads) {
  const std::vector<Json> chunks = trace.chunks("open");
  for (int thread = 0; thread < threads; ++thread) {
    const uint64_t size = 1000 + static_cast<uint64_t>(thread);
    const uint64_t found = count_if(chunks, [&](const Json& chunk) { return chunk.at("size") == size; });
    INFO("thread " << thread);
    CHECK(found + 1 >= reports_of(outcome, thread));
    CHECK(found <= reports_of(outcome, thread) + 1);
  }
}

}  // namespace

TEST_CASE("a program that ends by itself leaves a complete trace", "[hosts][endings]") {
  for (const char* how : {"return", "exit", "_exit", "_Exit", "quick_exit"}) {
    INFO(how);
    const HostRun host({"endings", how, "1"});
    const Trace trace = host.trace();
    CHECK(trace.allocations() == kReports);
    CHECK(trace.open_chunks() == kReports);
    CHECK(trace.open_bytes() == kReports * 1000);
    CHECK(trace.complete());
  }
}

TEST_CASE("a program that dies of a signal leaves all that it did, not complete", "[hosts][endings]") {
  for (const char* how : {"abort", "segv", "kill", "term"}) {
    INFO(how);
    const HostRun host({"endings", how, "1"});
    const Trace trace = host.trace();
    CHECK(host.recorded().signal != 0);
    CHECK(trace.allocations() == kReports);
    CHECK_FALSE(trace.complete());
  }
}

TEST_CASE("a stack that overflows, in the program or in the recorder, ends the program as it does alone",
          "[hosts][endings]") {
  FreshDirectory directory;
  const Outcome outcome =
      run({{host_path("endings"), "overflow", "1"}, recording_environment(), directory.path(), "", {}});
  CHECK(outcome.signal == SIGSEGV);
  CHECK(outcome.err.empty());
  const Trace trace(directory / "trace.bin");
  const auto reports = static_cast<uint64_t>(std::count(outcome.out.begin(), outcome.out.end(), 'o'));
  CHECK(reports > 1000);
  const uint64_t found = count_if(trace.chunks("open"), [](const Json& chunk) { return chunk.at("size") == 2000; });
  CHECK(found >= reports);
  CHECK(found <= reports + 1);
  CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
}

namespace {

void check_meals(const Trace& trace, const Outcome& outcome) {
  const auto meals = static_cast<uint64_t>(std::count(outcome.out.begin(), outcome.out.end(), 'M'));
  const std::vector<Json> chunks = trace.chunks("open");
  const uint64_t found = count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 1 << 20; });
  CHECK(meals > 0);
  CHECK(found >= meals);
  CHECK(found <= meals + 1);
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 1000; }) == kReports);
  CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
  CHECK_FALSE(trace.complete());
}

// A cgroup of 64 MiB, in the hierarchy of either version. Empty where it may not be made.
class SmallCgroup {
 public:
  SmallCgroup() {
    const std::string name = "memprof-test-" + std::to_string(getpid());
    for (const auto& [root, limit] :
         {std::pair("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), std::pair("/sys/fs/cgroup", "memory.max")}) {
      const std::filesystem::path path = std::filesystem::path(root) / name;
      if (!std::filesystem::exists(std::filesystem::path(root) / "cgroup.procs")) continue;
      std::error_code failed;
      if (!std::filesystem::create_directory(path, failed)) continue;
      path_ = path;
      if (std::ofstream(path / limit) << (64 << 20) << std::flush) return;
      std::filesystem::remove(path_, failed);
      path_.clear();
    }
  }
  ~SmallCgroup() {
    if (!path_.empty()) rmdir(path_.c_str());
  }
  SmallCgroup(const SmallCgroup&) = delete;
  SmallCgroup& operator=(const SmallCgroup&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a program that the kernel kills for its memory has left all that it did", "[hosts][endings]") {
  const SmallCgroup group;
  if (group.path().empty()) return skip("a memory cgroup of its own needs the right to make one");
  FreshDirectory directory;
  const auto enter = [&] {
    const std::string pid = std::to_string(getpid());
    const int file = open((group.path() / "cgroup.procs").c_str(), O_WRONLY);
    if (file < 0 || write(file, pid.c_str(), pid.size()) < 0) _exit(125);
    close(file);
  };
  const Outcome outcome =
      run({{host_path("endings"), "hungry", "1"}, recording_environment(), directory.path(), "", enter});
  CHECK(outcome.signal == SIGKILL);
  CHECK(outcome.err.empty());
  check_meals(Trace(directory / "trace.bin"), outcome);
}

TEST_CASE("a program that gets no more memory and is then killed has left all that it did", "[hosts][endings]") {
  FreshDirectory directory;
  const auto limit = [] {
    const rlimit space{256 << 20, 256 << 20};
    if (setrlimit(RLIMIT_AS, &space) != 0) _exit(125);
  };
  Process hungry({{host_path("endings"), "hungry", "1"}, recording_environment(), directory.path(), "", limit});
  REQUIRE(hungry.wait_for_output("no more\n"));
  kill(hungry.pid(), SIGKILL);
  const Outcome outcome = hungry.finish();
  CHECK(outcome.signal == SIGKILL);
  CHECK(outcome.err.empty());
  const Trace trace(directory / "trace.bin");
  CHECK(trace.dropped() == 0);
  check_meals(trace, outcome);
}

TEST_CASE("four threads and each way to end", "[hosts][endings]") {
  for (const char* how : {"exit", "_exit", "abort", "segv", "kill"}) {
    INFO(how);
    FreshDirectory directory;
    const Outcome outcome = run({{host_path("endings"), how, "4"}, recording_environment(), directory.path(), "", {}});
    const Trace trace(directory / "trace.bin");
    for (int thread = 0; thread < 4; ++thread) CHECK(reports_of(outcome, thread) == kReports);
    check_reported(trace, outcome, 4);
    CHECK(trace.orphans() == 0);
  }
}

TEST_CASE("SIGKILL at random moments loses at most one event a thread", "[hosts][endings]") {
  std::mt19937 random(20);
  for (int run_number = 0; run_number < 25; ++run_number) {
    const std::string how = "killed:" + std::to_string(1 + random() % 4000);
    INFO(how);
    FreshDirectory directory;
    const Outcome outcome = run({{host_path("endings"), how, "4"}, recording_environment(), directory.path(), "", {}});
    CHECK(outcome.signal == SIGKILL);
    CHECK(outcome.err.empty());
    const Trace trace(directory / "trace.bin");
    check_reported(trace, outcome, 4);
    CHECK_FALSE(trace.complete());
    CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
  }
}

TEST_CASE("an uncaught exception ends the program as it does alone", "[hosts][endings]") {
  const HostRun host({"uncaught_exception"});
  CHECK(host.recorded().signal == SIGABRT);
  const std::vector<Json> chunks = host.trace().chunks("open");
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 600; }) == 100);
  CHECK_FALSE(host.trace().complete());
}

TEST_CASE("constructors and destructors of every priority are recorded", "[hosts][endings]") {
  const HostRun host({"constructors"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("static objects of a library that go after main's own are recorded", "[hosts][endings]") {
  const HostRun host({"static_objects_host"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}

TEST_CASE("what runs after the last destructor is recorded", "[hosts][endings]") {
  for (const int before : {0, 1000, 1000000, 1060000, 1120000, 1180000, 1240000, 1300000}) {
    INFO(before << " pairs before");
    const HostRun host({"writes_after_exit", std::to_string(before), "200"});
    const Trace trace = host.trace();
    CHECK(trace.complete());
    CHECK(trace.dropped() == 0);
    CHECK(trace.frees() == static_cast<uint64_t>(before) + 200);
  }
}

TEST_CASE("what runs after the last destructor is recorded as far as the file goes, and the rest is counted",
          "[hosts][endings]") {
  const HostRun host({"writes_after_exit", "0", "20000"});
  const Trace trace = host.trace();
  CHECK(trace.complete());
  const Json& dropped = trace.summary().at("dropped");
  CHECK(dropped.at("after_end") > 0);
  CHECK(dropped.at("after_end") == trace.dropped());
  CHECK(trace.allocations() + trace.frees() + trace.dropped() >= 40000 + 2);
  const std::vector<Json> late = trace.chunks("closed");
  CHECK(count_if(late, [](const Json& chunk) { return stack_names(chunk, "write_late"); }) > 1000);
}
