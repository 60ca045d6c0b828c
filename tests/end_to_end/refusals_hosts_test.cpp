// What memprof says when a trace cannot begin: where, what it expected there, what it found. One line; the program runs
// on.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

constexpr int kNotAllowed = 125;

Outcome record_to(const fs::path& directory, const std::string& output, const std::function<void()>& before = {}) {
  return run(
      {{host_path("churn"), "1000"}, recording_environment({"MEMPROF_OUTPUT=" + output}), directory, "", before});
}

void check_line(const Outcome& outcome, const fs::path& place, const std::string& reason) {
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.out.find("expect open 1\n") != std::string::npos);
  CHECK(outcome.err ==
        "memprof: cannot record to " + place.string() + ": " + reason + "; the program runs unrecorded\n");
}

// The standard streams, and so many more at the same time.
std::function<void()> free_descriptors(rlim_t count) {
  return [count] {
    const rlimit limit{3 + count, 3 + count};
    closefrom(3);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(kNotAllowed);
  };
}

}  // namespace

TEST_CASE("a directory that is missing is named, to the first part that is", "[hosts][output]") {
  FreshDirectory directory;
  fs::create_directory(directory / "there");
  check_line(record_to(directory.path(), "there/no/such/trace.bin"), directory / "there/no/such/trace.bin",
             "its directory is missing: " + (directory / "there/no").string());
  check_line(record_to(directory.path(), "sub/trace.bin"), directory / "sub/trace.bin",
             "its directory is missing: " + (directory / "sub").string());
}

TEST_CASE("a name that is a directory's is said to be one", "[hosts][output]") {
  FreshDirectory directory;
  const std::string sub = (directory / "sub").string() + "/";
  check_line(record_to(directory.path(), "sub/"), sub, "expected the name of a file, found that of a directory");
  fs::create_directory(directory / "sub");
  check_line(record_to(directory.path(), "sub/"), sub, "expected no file or a finished trace, found a directory");
  check_line(record_to(directory.path(), "sub"), directory / "sub",
             "expected no file or a finished trace, found a directory");
}

TEST_CASE("a part of the name that is no directory is named", "[hosts][output]") {
  FreshDirectory directory;
  write_file(directory / "file", "x");
  check_line(record_to(directory.path(), "file/in/trace.bin"), directory / "file/in/trace.bin",
             "this is not a directory: " + (directory / "file").string());
}

TEST_CASE("what stands in the trace's place is named", "[hosts][output]") {
  FreshDirectory directory;
  const fs::path place = directory / "trace.bin";
  const std::string expected_there = "expected no file or a finished trace, found ";
  SECTION("a link") {
    fs::create_symlink("nothing", place);
    check_line(record_to(directory.path(), "trace.bin"), place,
               expected_there + "a symbolic link, and none is followed");
  }
  SECTION("a fifo") {
    REQUIRE(mkfifo(place.c_str(), 0600) == 0);
    check_line(record_to(directory.path(), "trace.bin"), place, expected_there + "a fifo");
  }
  SECTION("a file") {
    write_file(place, "a letter");
    check_line(record_to(directory.path(), "trace.bin"), place,
               expected_there + "a file that is no finished trace, or that cannot be moved away");
  }
}

TEST_CASE("a directory that is not ours to write in is named", "[hosts][output]") {
  FreshDirectory directory;
  fs::create_directory(directory / "closed");
  fs::permissions(directory / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  fs::permissions(directory.path(), fs::perms::all);
  const auto give_up_root = [] {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(kNotAllowed);
  };
  check_line(record_to(directory.path(), "closed/in/trace.bin", give_up_root), directory / "closed/in/trace.bin",
             "no permission to write in " + (directory / "closed").string());
}

TEST_CASE("a program without descriptors to spare is told of its limit", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome first = record_to(directory.path(), "trace.bin", free_descriptors(1));
  CHECK(first.err.empty());
  CHECK(Trace(directory / "trace.bin").complete());
  // There is one descriptor for the new file, and none to look at the old one.
  check_line(record_to(directory.path(), "trace.bin", free_descriptors(1)), directory / "trace.bin",
             "the program has no free file descriptor (RLIMIT_NOFILE is 4)");
  CHECK(Trace(directory / "trace.bin").pid() == static_cast<uint64_t>(first.pid));
}

TEST_CASE("without a descriptor to ask who writes a trace, it is taken for a living process's", "[hosts][output]") {
  FreshDirectory directory;
  Process living({{host_path("waits_for_input")}, recording_environment(), directory.path(), "", {}});
  REQUIRE(living.wait_for_output("ready\n"));
  const Outcome newcomer = record_to(directory.path(), "trace.bin", free_descriptors(2));
  CHECK(living.finish().exit_status == 0);
  CHECK(newcomer.err.empty());
  CHECK_FALSE(fs::exists(directory / "trace.bin.old"));
  CHECK(Trace(directory / "trace.bin").pid() == static_cast<uint64_t>(living.pid()));
  CHECK(Trace(directory / ("trace." + std::to_string(newcomer.pid) + ".bin")).complete());
}

TEST_CASE("a reason is said whole, however long the name is", "[hosts][output]") {
  FreshDirectory directory;
  std::string name;
  for (int i = 0; i < 20; ++i) name += std::string(100, static_cast<char>('a' + i)) + "/";
  const Outcome outcome = record_to(directory.path(), name + "trace.bin");
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err.starts_with("memprof: cannot record to ..."));
  CHECK(outcome.err.find("/trace.bin: its directory is missing: " + (directory / std::string(100, 'a')).string() +
                         "; the program runs unrecorded\n") != std::string::npos);
}
