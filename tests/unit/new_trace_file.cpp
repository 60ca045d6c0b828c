// A trace made of another one: whole at its path or not there at all.
#include "trace/new_trace_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
namespace fs = std::filesystem;
using Temporary = NewTraceFile::Temporary;

namespace {

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "memprof-new-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~Directory() { fs::remove_all(path_); }
  std::string at(const char* name) const { return (path_ / name).string(); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

constexpr size_t kPageBytes = format::kMinPageSize;

TraceBuilder small_trace() {
  TraceBuilder b;
  b.header.page_size = kPageBytes;
  b.alloc(1, 10, 0x1000, 24, b.stack(0x1234));
  b.close(100);
  return b;
}

NewTraceFile copy_of(const Bytes& bytes, const std::string& path, Temporary temporary = Temporary::unnamed) {
  const TraceFile source = open_bytes(bytes);
  NewTraceFile out = NewTraceFile::create(path, source.header(), temporary);
  for (uint64_t page = 1; page < source.page_count(); ++page)
    out.copy(page, std::span(bytes).subspan(page * kPageBytes, kPageBytes));
  return out;
}

// What becomes of a process that makes a file and is killed before it commits.
int status_when_killed(const std::string& path, Temporary temporary, int signal) {
  const Bytes bytes = small_trace().build();
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int own : {SIGINT, SIGTERM, SIGHUP}) ::signal(own, SIG_DFL);  // Catch2's, nohup's
    try {
      const NewTraceFile out = copy_of(bytes, path, temporary);
      ::kill(::getpid(), signal);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("a copy with appended pages is complete and has them", "[new_trace]") {
  for (const Temporary temporary : {Temporary::unnamed, Temporary::named}) {
    const Directory directory;
    const std::string path = directory.at("out.trace");
    NewTraceFile out = copy_of(small_trace().build(), path, temporary);
    const uint64_t number = out.next_page();
    format::PageHeader head{};
    head.kind = format::StreamKind::metadata;
    head.stream_id = 7;
    const format::RecordHeader record{99, 0, 0};
    out.append(head, std::as_bytes(std::span(&record, 1)));
    CHECK_FALSE(fs::exists(path));
    out.commit();

    const TraceFile read = TraceFile::open(path);
    CHECK(read.complete());
    CHECK(read.page_count() == number + 1);
    CHECK((read.header().page_count & format::kPageCountClosed) != 0);
    CHECK(read.size_bytes() == read.page_count() * kPageBytes);
    const PageEntry& last = read.pages().back();
    CHECK(last.page == number);
    std::vector<std::byte> buffer;
    std::span<const std::byte> payload;
    REQUIRE(read.read_page(last, buffer, payload));
    CHECK(std::memcmp(payload.data(), &record, sizeof record) == 0);
    CHECK(directory.files() == 1);
    CHECK((fs::status(path).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
  }
}

TEST_CASE("a changed header has its checksum, a running trace stays one", "[new_trace]") {
  const Directory directory;
  TraceBuilder b = small_trace();
  b.header.end_state = format::EndState::running;
  NewTraceFile out = copy_of(b.build(), directory.at("out"));
  out.header().flags |= format::kLateStart;
  out.commit();
  const TraceFile read = TraceFile::open(directory.at("out"));
  CHECK((read.flags() & format::kLateStart) != 0);
  CHECK_FALSE(read.closed_by_library());
  CHECK((read.header().page_count & format::kPageCountClosed) == 0);
}

TEST_CASE("pages that were missing, unwritten or damaged stay so", "[new_trace]") {
  const Directory directory;
  Bytes bytes = small_trace().build();
  bytes[kPageBytes + sizeof(format::PageHeader)] ^= std::byte{1};
  NewTraceFile out = copy_of(bytes, directory.at("out"));
  const uint64_t end = out.next_page();
  out.copy(end + 2, {});
  out.commit(3);
  const TraceFile read = TraceFile::open(directory.at("out"));
  CHECK(read.page_count() == end + 3);
  CHECK(read.unwritten_pages() == 3);
  CHECK(read.damage().missing_pages() == 3);
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  for (const PageEntry& entry : read.pages()) read.read_page(entry, buffer, payload);
  CHECK(read.damage().pages() == 1);
}

TEST_CASE("without commit nothing is left, and what was there stays", "[new_trace]") {
  for (const Temporary temporary : {Temporary::unnamed, Temporary::named}) {
    const Directory directory;
    { const NewTraceFile out = copy_of(small_trace().build(), directory.at("out"), temporary); }
    CHECK(directory.files() == 0);
    std::ofstream(directory.at("out")) << "older";
    { const NewTraceFile out = copy_of(small_trace().build(), directory.at("out"), temporary); }
    CHECK(directory.files() == 1);
    CHECK(fs::file_size(directory.at("out")) == 5);
    copy_of(small_trace().build(), directory.at("out"), temporary).commit();
    CHECK(directory.files() == 1);
    CHECK(TraceFile::open(directory.at("out")).complete());
  }
}

TEST_CASE("a killed process leaves nothing", "[new_trace]") {
  const Directory directory;
  const std::string out = directory.at("out");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGKILL}) {
    CHECK(WTERMSIG(status_when_killed(out, Temporary::unnamed, signal)) == signal);
    CHECK(directory.files() == 0);
  }
  // Of a named one, what can be caught.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CHECK(WTERMSIG(status_when_killed(out, Temporary::named, signal)) == signal);
    CHECK(directory.files() == 0);
  }
}

TEST_CASE("a signal that is ignored stays ignored", "[new_trace]") {
  const Directory directory;
  const auto before = std::signal(SIGHUP, SIG_IGN);
  {
    const NewTraceFile out = copy_of(small_trace().build(), directory.at("out"), Temporary::named);
    std::raise(SIGHUP);
    CHECK(directory.files() == 1);
  }
  CHECK(std::signal(SIGHUP, before) == SIG_IGN);
}

TEST_CASE("only regular files are replaced, and no link is followed", "[new_trace]") {
  const Directory directory;
  const format::FileHeader header = open_bytes(small_trace().build()).header();
  std::ofstream(directory.at("target")) << "precious";
  fs::create_symlink(directory.at("target"), directory.at("link"));
  fs::create_directory(directory.at("directory"));
  REQUIRE(::mkfifo(directory.at("fifo").c_str(), 0600) == 0);
  for (const char* name : {"link", "directory", "fifo", ".", "none/out", ""})
    CHECK_THROWS_AS(NewTraceFile::create(directory.at(name), header), NewTraceError);
  CHECK(fs::file_size(directory.at("target")) == 8);

  // A link that comes while the trace is written is replaced itself.
  NewTraceFile out = copy_of(small_trace().build(), directory.at("late"));
  fs::create_symlink(directory.at("target"), directory.at("late"));
  out.commit();
  CHECK(fs::file_size(directory.at("target")) == 8);
  CHECK(fs::is_regular_file(fs::symlink_status(directory.at("late"))));
}

TEST_CASE("the same file is known by any name", "[new_trace]") {
  const Directory directory;
  std::ofstream(directory.at("a")) << "a";
  fs::create_hard_link(directory.at("a"), directory.at("hard"));
  fs::create_symlink(directory.at("a"), directory.at("soft"));
  CHECK(NewTraceFile::is_same_file(directory.at("hard"), directory.at("a")));
  CHECK(NewTraceFile::is_same_file(directory.at("soft"), directory.at("a")));
  CHECK_FALSE(NewTraceFile::is_same_file(directory.at("none"), directory.at("a")));
}

TEST_CASE("a file that cannot grow is an error that says why", "[new_trace]") {
  const Directory directory;
  const format::FileHeader header = open_bytes(small_trace().build()).header();
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{kPageBytes, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  {
    NewTraceFile out = NewTraceFile::create(directory.at("out"), header);
    const std::vector<std::byte> page(kPageBytes);
    CHECK_THROWS_WITH(out.copy(1, page), Catch::Contains("out: cannot be written: File too large"));
    CHECK_THROWS_AS(out.append({}, page), std::length_error);
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(directory.files() == 0);
}
