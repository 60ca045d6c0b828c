// Where the trace finds no room: full disks, quotas, limits, filesystems that reserve nothing, files that go away. The
// program runs on, one line says why, and what was recorded and what was dropped are together all that it did.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

constexpr int kNotAllowed = 125;

uint64_t number_of(const Trace& trace, const char* cause) { return trace.summary().at("dropped").at(cause); }

bool is_one_line(const std::string& text) {
  return text.starts_with("memprof: ") && text.find('\n') == text.size() - 1;
}

void check_all_counted(const Trace& trace, const Outcome& outcome) {
  CHECK(trace.allocations() + trace.frees() + trace.dropped() ==
        expected(outcome, "allocations") + expected(outcome, "frees"));
  CHECK(trace.orphans() == 0);
  CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
}

void check_stopped(const Trace& trace, const Outcome& outcome, const char* cause) {
  INFO("stderr: " << outcome.err);
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.signal == 0);
  CHECK(is_one_line(outcome.err));
  CHECK(trace.dropped() > 0);
  CHECK(number_of(trace, cause) == trace.dropped());
  CHECK(trace.allocations() > 0);
  check_all_counted(trace, outcome);
}

void check_whole(const Trace& trace, const Outcome& outcome) {
  INFO("stderr: " << outcome.err);
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.err.empty());
  CHECK(trace.dropped() == 0);
  CHECK(trace.open_bytes() == expected(outcome, "open_bytes"));
  CHECK(trace.complete());
  check_all_counted(trace, outcome);
}

Outcome record_churn(const fs::path& directory, const std::vector<std::string>& arguments,
                     const std::vector<std::string>& settings = {}, const std::function<void()>& before = {}) {
  std::vector<std::string> command = {host_path("churn")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run({command, recording_environment(settings), directory, "", before});
}

// A filesystem of its own for one run, made by the lines of `prepare` in a mount namespace that ends with it; they find
// the place to mount on in $place. The trace is copied out before, to `kept`. An exit status of kNotAllowed: `prepare`
// failed.
Outcome record_on(const fs::path& directory, const std::string& prepare) {
  const fs::path place = directory / "place";
  fs::create_directory(place);
  const std::string script = "{\n" + prepare + "\n} >prepared 2>&1 || exit " + std::to_string(kNotAllowed) +
                             "\ncd \"$place\" && LD_PRELOAD='" + paths::kLibrary + "' '" + host_path("churn") +
                             "' 300000\nstatus=$?\ncp trace.bin \"$kept\"\nexit $status\n";
  std::vector<std::string> environment = plain_environment();
  environment[0] = "PATH=/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
  environment.push_back("place=" + place.string());
  environment.push_back("kept=" + (directory / "kept").string());
  return run({{"/bin/sh", "-c", script}, environment, directory, "", [] {
                if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
                  _exit(kNotAllowed);
                }
              }});
}

bool was_prepared(const Outcome& outcome, const fs::path& directory, const std::string& what) {
  if (outcome.exit_status != kNotAllowed) return true;
  std::string why = fs::exists(directory / "prepared") ? read_file(directory / "prepared") : "";
  skip(what + " cannot be had here: " + (why.empty() ? "no right to mount" : why.substr(0, why.find('\n'))));
  return false;
}

}  // namespace

TEST_CASE("a filesystem that cannot reserve blocks, ramfs", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome outcome = record_on(directory.path(), "mount -t ramfs none \"$place\"");
  if (!was_prepared(outcome, directory.path(), "ramfs")) return;
  check_whole(Trace(directory / "kept"), outcome);
}

TEST_CASE("a filesystem that cannot reserve blocks, ext2, with room and full", "[hosts][output]") {
  for (const char* size : {"32M", "1M"}) {
    INFO("an ext2 of " << size);
    FreshDirectory directory;
    const Outcome outcome = record_on(directory.path(), std::string("truncate -s ") + size +
                                                            " image && mkfs.ext2 -q image &&"
                                                            " mount -t ext2 -o loop image \"$place\"");
    if (!was_prepared(outcome, directory.path(), "ext2 on a loop device")) return;
    const Trace trace(directory / "kept");
    if (size == std::string("32M")) {
      check_whole(trace, outcome);
    } else {
      check_stopped(trace, outcome, "no_space");
    }
  }
}

TEST_CASE("a quota that is used up stops the recording, not the program", "[hosts][output]") {
  FreshDirectory directory;
  // btrfs has quotas of its own; those of ext4 and tmpfs are options of the kernel.
  const Outcome outcome =
      record_on(directory.path(),
                "truncate -s 128M image && mkfs.btrfs -q image && mount -t btrfs -o loop image \"$place\" &&"
                " btrfs quota enable \"$place\" && btrfs subvolume create \"$place/limited\" &&"
                " btrfs qgroup limit 2M \"$place/limited\" && sync && place=$place/limited");
  if (!was_prepared(outcome, directory.path(), "a btrfs quota")) return;
  check_stopped(Trace(directory / "kept"), outcome, "no_space");
}

TEST_CASE("RLIMIT_FSIZE that is met on the way", "[hosts][output]") {
  FreshDirectory directory;
  const auto limit = [] {
    const rlimit size{1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_FSIZE, &size) != 0) _exit(kNotAllowed);
  };
  const Outcome outcome = record_churn(directory.path(), {"400000"}, {}, limit);
  check_stopped(Trace(directory / "trace.bin"), outcome, "file_limit");
  CHECK(fs::file_size(directory / "trace.bin") <= 1 << 20);
}

TEST_CASE("no address space for the trace to grow in, RLIMIT_AS", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome outcome = record_churn(directory.path(), {"200000", "as", "1"});
  check_stopped(Trace(directory / "trace.bin"), outcome, "no_memory");
}

TEST_CASE("MEMPROF_LIMIT that is met while four threads allocate", "[hosts][output]") {
  const std::vector<std::string> command = {host_path("threads_pass_blocks")};
  FreshDirectory whole, limited;
  const Outcome all = run({command, recording_environment(), whole.path(), "", {}});
  const Outcome part = run({command, recording_environment({"MEMPROF_LIMIT=1M"}), limited.path(), "", {}});
  CHECK(part.out == all.out);
  CHECK(part.exit_status == all.exit_status);
  INFO("stderr: " << part.err);
  CHECK(is_one_line(part.err));
  const Trace complete(whole / "trace.bin");
  const Trace trace(limited / "trace.bin");
  const auto events = [](const Trace& one) { return one.summary().at("trace").at("events").get<uint64_t>(); };
  CHECK(complete.dropped() == 0);
  CHECK(trace.dropped() > 0);
  CHECK(number_of(trace, "trace_limit") == trace.dropped());
  CHECK(events(trace) + trace.dropped() == events(complete));
  CHECK(fs::file_size(limited / "trace.bin") <= 1 << 20);
  CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
}

TEST_CASE("a trace that is removed with its directory is written to its end", "[hosts][output]") {
  FreshDirectory directory;
  fs::create_directory(directory / "record-here");
  const Outcome outcome =
      record_churn(directory.path(), {"100000", "remove", "kept"}, {"MEMPROF_OUTPUT=record-here/trace.bin"});
  CHECK_FALSE(fs::exists(directory / "record-here"));
  check_whole(Trace(directory / "kept"), outcome);
}

TEST_CASE("a trace that is removed, and whose descriptor the program closes, is lost from there on",
          "[hosts][output]") {
  FreshDirectory directory;
  fs::create_directory(directory / "record-here");
  const Outcome outcome = record_churn(directory.path(), {"100000", "remove", "kept", "close", "3"},
                                       {"MEMPROF_OUTPUT=record-here/trace.bin"});
  check_stopped(Trace(directory / "kept"), outcome, "file_lost");
}

TEST_CASE("a trace that is removed while it is written is told of at the end", "[hosts][output]") {
  for (const std::string ending : {"alone", "exec"}) {
    INFO(ending);
    FreshDirectory directory;
    std::vector<std::string> command = {host_path("churn"), "1000", "unlink", "trace.bin"};
    if (ending == "exec") command = {"/bin/sh", "-c", "rm trace.bin; exec /bin/true"};
    const Outcome outcome = run({command, recording_environment(), directory.path(), "", {}});
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.err == "memprof: the trace was removed while it was written, nothing of it is left (" +
                             (directory / "trace.bin").string() + ")\n");
    CHECK(fs::exists(directory / "trace.bin") == (ending == "exec"));
  }
}

// A limit: what is mapped and cut is SIGBUS, and memprof has no handler in the program's place.
TEST_CASE("a trace that somebody cuts under the pages in use ends the program by SIGBUS", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome outcome = record_churn(directory.path(), {"1000", "cut", "all"});
  CHECK(outcome.signal == SIGBUS);
  CHECK(fs::file_size(directory / "trace.bin") == 0);
}

TEST_CASE("a trace that somebody cuts behind the pages in use is not stored to there", "[hosts][output]") {
  FreshDirectory directory;
  const Outcome outcome = record_churn(directory.path(), {"50000", "cut", "free"});
  INFO("stderr: " << outcome.err);
  CHECK(outcome.exit_status == 0);
  const Trace trace(directory / "trace.bin");
  check_all_counted(trace, outcome);
  // Where pages are written to before they are mapped, the file is whole again.
  if (trace.dropped() == 0) return check_whole(trace, outcome);
  CHECK(outcome.err.find("somebody has cut the trace file") != std::string::npos);
  check_stopped(trace, outcome, "io_error");
}

TEST_CASE("a trace of another user is left alone", "[hosts][output]") {
  if (geteuid() != 0) return skip("another user's file needs root");
  constexpr unsigned kNobody = 65534;
  for (const unsigned mode : {0600, 0644}) {
    INFO("mode " << std::oct << mode);
    FreshDirectory directory;
    const fs::path place = directory / "trace.bin";
    record_churn(directory.path(), {"10"});
    REQUIRE(chmod(place.c_str(), mode) == 0);
    REQUIRE(chmod(directory.path().c_str(), 01777) == 0);
    const std::string before = read_file(place);
    const Outcome outcome = record_churn(directory.path(), {"1000"}, {}, [] {
      if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(kNotAllowed);
    });
    INFO("stderr: " << outcome.err);
    CHECK(outcome.exit_status == 0);
    CHECK(is_one_line(outcome.err));
    CHECK(read_file(place) == before);
    CHECK_FALSE(fs::exists(directory / "trace.bin.old"));
  }
}

TEST_CASE("a program that takes all that it may gets one descriptor, one key and some data fewer", "[hosts][output]") {
  FreshDirectory directory;
  const std::vector<std::string> command = {host_path("uses_everything")};
  const auto few_descriptors = [] {
    const rlimit limit{64, 64};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(125);
  };
  const Outcome native = run({command, plain_environment(), directory.path(), "", few_descriptors});
  const Outcome recorded = run({command, recording_environment(), directory.path(), "", few_descriptors});
  REQUIRE(native.exit_status == 0);
  REQUIRE(recorded.exit_status == 0);
  CHECK(recorded.err == "");
  CHECK(expected(recorded, "descriptors") == expected(native, "descriptors") - 1);
  CHECK(expected(recorded, "keys") == expected(native, "keys") - 1);
  const uint64_t piece = 64 << 10, most = 3'100'000;  // as preload/README.md says, and the states of one thread
  CHECK(expected(recorded, "pieces") <= expected(native, "pieces"));
  CHECK(expected(recorded, "pieces") + most / piece >= expected(native, "pieces"));
  const Trace trace(directory / "trace.bin");
  CHECK(trace.complete());
  CHECK(trace.dropped() == 0);
}
