// Programs that were started, and whether there is a trace of them.
#include <catch2/catch.hpp>
#include <fstream>

#include "gate/unrecorded_programs.h"
#include "new_directory.h"
#include "trace_builder.h"

using namespace memprof;
using test::TraceBuilder;

namespace {

constexpr uint64_t kStart = TraceBuilder::kStart;

template <class Head>
std::string payload_of(const Head& head, std::string_view name = "") {
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + std::string(name);
}

// A trace of a process that began at a time after kStart.
TraceBuilder trace_of(uint32_t pid, uint64_t process_start, uint64_t time = 0) {
  TraceBuilder builder;
  builder.header.pid = pid;
  builder.header.process_start = process_start;
  builder.header.start_ticks = kStart + time;
  builder.add_metadata(format::MetadataRecord::executable, "/bin/p" + std::to_string(pid));
  return builder;
}

void start(TraceBuilder& builder, uint64_t time, uint32_t pid, uint64_t process_start, std::string_view name) {
  builder.add_metadata(format::MetadataRecord::program_start,
                       payload_of(format::ProgramStart{kStart + time, process_start, pid, 0}, name));
}
void fail(TraceBuilder& builder, uint64_t time, uint32_t pid) {
  builder.add_metadata(format::MetadataRecord::program_start_failed,
                       payload_of(format::ProgramStartFailed{kStart + time, pid, 0}));
}

class TraceDirectory {
 public:
  void write(TraceBuilder& builder, const char* name) {
    const test::Bytes bytes = builder.build();
    std::ofstream(directory_.at(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  StartedPrograms given(const std::vector<const char*>& names) const {
    StartedPrograms started;
    for (const char* name : names) started.add(Trace(TraceFile::open(directory_.at(name))));
    return started;
  }
  std::vector<std::string> unrecorded(const std::vector<const char*>& names) const {
    std::vector<std::string> programs;
    for (const UnrecordedProgram& program : given(names).unrecorded()) programs.push_back(program.name);
    return programs;
  }

 private:
  test::NewDirectory directory_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a process that was started has a trace by its pid and its start", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder starter = trace_of(1, 10), child = trace_of(2, 20, 500), reused = trace_of(3, 99, 500);
  start(starter, 400, 2, 20, "./child");
  start(starter, 400, 3, 30, "./other");  // its number was given to another process since
  start(starter, 600, 2, 20, "./late");   // its trace began before
  start(starter, 400, 2, 0, "./unknown-start");
  run.write(starter, "a");
  run.write(child, "b");
  run.write(reused, "c");
  CHECK(run.unrecorded({"a", "b", "c"}) == Names{"./other", "./late"});
}

TEST_CASE("a start that failed is none, the one behind it is", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder starter = trace_of(1, 10);
  start(starter, 100, 2, 20, "/bin/a");
  start(starter, 110, 3, 20, "/bin/b");
  fail(starter, 120, 2);
  start(starter, 130, 2, 20, "/usr/bin/a");
  fail(starter, 140, 3);
  fail(starter, 150, 3);  // of a start that was not written
  run.write(starter, "a");
  CHECK(run.unrecorded({"a"}) == Names{"/usr/bin/a"});
}

TEST_CASE("each image of a chain of execs needs the one behind it", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder first = trace_of(1, 10), second = trace_of(1, 10, 200);
  start(first, 99, 1, 10, "./second");
  first.close(100, format::EndState::exec);
  start(second, 299, 1, 10, "./third");
  second.close(300, format::EndState::exec);
  run.write(first, "a");
  run.write(second, "b");
  CHECK(run.unrecorded({"a", "b"}) == Names{"./third"});
  TraceBuilder third = trace_of(1, 10, 400);
  run.write(third, "c");
  CHECK(run.unrecorded({"a", "b", "c"}).empty());
  // The same, though its trace is not given.
  CHECK(run.unrecorded({"b"}).empty());
}

TEST_CASE("an exec of which no name is known is told as well", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder image = trace_of(7, 10);
  image.close(100, format::EndState::exec);
  run.write(image, "a");
  Verdict verdict;
  judge_unrecorded(run.given({"a"}).unrecorded(), Rules{}, verdict);
  REQUIRE(verdict.unseen.size() == 1);
  CHECK_THAT(verdict.unseen[0], Catch::StartsWith("p7 (process 7) became another program, which was not recorded"));
}

TEST_CASE("a trace beside counts, unless it has lost the run's number", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder starter = trace_of(1, 10), lost = trace_of(2, 20, 500), inner = trace_of(3, 30, 500);
  starter.header.run = 5;
  inner.header.run = 6;
  start(starter, 400, 2, 20, "./lost");
  start(starter, 400, 3, 30, "./inner");
  run.write(starter, "a");
  run.write(lost, "b");
  run.write(inner, "c");
  CHECK(run.unrecorded({"a"}) == Names{"./lost"});
  CHECK(run.unrecorded({"a", "b"}).empty());
}

TEST_CASE("equal programs are one line, and those that are allowed none", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder starter = trace_of(1, 10);
  for (uint32_t pid = 2; pid < 7; ++pid) start(starter, 100, pid, 20, pid == 4 ? "/opt/helper" : "bin/tool");
  run.write(starter, "a");
  StartedPrograms started = run.given({"a"});
  started.add_command(99, "./tests");
  const auto unseen = [&](const std::vector<std::string>& allowed) {
    Rules rules;
    std::string problem;
    rules.allowed_unrecorded = parse_patterns(allowed, problem);
    Verdict verdict;
    judge_unrecorded(started.unrecorded(), rules, verdict);
    CHECK(verdict.unrecorded.size() == 6);
    return verdict.unseen;
  };
  const std::vector<std::string> all = unseen({});
  REQUIRE(all.size() == 3);
  CHECK_THAT(all[2], Catch::StartsWith("./tests (process 99, started by the command line) was not recorded"));
  CHECK_THAT(all[0], Catch::StartsWith("bin/tool (process 2 and 3 more, started by p1) was not recorded") &&
                         Catch::EndsWith("(--allow-unrecorded tool lets it pass)"));
  CHECK_THAT(all[1], Catch::StartsWith("/opt/helper (process 4, started by p1)"));
  CHECK(unseen({"tool", "test?"}).size() == 1);
  CHECK(unseen({"/opt/*"}).size() == 2);
  CHECK(unseen({"*"}).empty());
}

TEST_CASE("a program's record that is too short is damage, and the others count", "[unrecorded]") {
  TraceDirectory run;
  TraceBuilder starter = trace_of(1, 10);
  const std::string whole = payload_of(format::ProgramStart{});
  for (size_t bytes = 0; bytes < whole.size(); ++bytes)
    starter.add_metadata(format::MetadataRecord::program_start, whole.substr(0, bytes));
  starter.add_metadata(format::MetadataRecord::program_start_failed, "short");
  start(starter, 100, 2, 20, "good");
  run.write(starter, "a");
  CHECK(run.unrecorded({"a"}) == Names{"good"});
}
