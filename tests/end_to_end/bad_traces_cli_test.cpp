// What memprof-analyze says of files that are no traces, or no whole ones. Exit status 3 and one line on stderr that
// names the file, the offset, what was expected and what was found; never a signal.
#define XXH_INLINE_ALL
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <sstream>

#include "host.h"
#include "paths.h"
#include "skip.h"
#include "trace_builder.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

// trace_format.h: the page size, and the fixed part of the header with its checksum.
constexpr size_t kPage = 16384;
constexpr size_t kFixedBytes = 192;
constexpr size_t kHeaderBytes = 576;
constexpr size_t kVersionOffset = 8;
constexpr size_t kPageSizeOffset = 20;
constexpr size_t kChecksumOffset = 184;

constexpr uint64_t kBlocks = 1500;

const std::string& good_trace() {
  static const std::string bytes = [] {
    FreshDirectory directory;
    const Outcome outcome =
        run({{host_path("endings"), "return", "1"}, recording_environment(), directory.path(), "", {}});
    REQUIRE(outcome.exit_status == 1);
    return read_file(directory / "trace.bin");
  }();
  return bytes;
}

Outcome analyze_bytes(const std::string& bytes, const fs::path& path, const std::string& command = "summary") {
  write_file(path, bytes);
  return analyze({command, path.string()});
}

size_t lines_of(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

void check_refused(const Outcome& outcome, const fs::path& path, const std::vector<std::string>& words) {
  INFO("stderr: " << outcome.err);
  CHECK(outcome.signal == 0);
  CHECK(outcome.exit_status == 3);
  CHECK(outcome.out.empty());
  CHECK(lines_of(outcome.err) == 1);
  CHECK(outcome.err.find(path.string()) != std::string::npos);
  for (const std::string& word : words) CHECK(outcome.err.find(word) != std::string::npos);
}

void put_u32(std::string* bytes, size_t offset, uint32_t value) { std::memcpy(bytes->data() + offset, &value, 4); }

void seal_header(std::string* bytes) {
  std::memset(bytes->data() + kChecksumOffset, 0, 8);
  const uint64_t checksum = XXH3_64bits(bytes->data(), kFixedBytes);
  std::memcpy(bytes->data() + kChecksumOffset, &checksum, 8);
}

}  // namespace

TEST_CASE("files that are no traces are refused with one line", "[hosts][bad traces]") {
  FreshDirectory directory;
  const fs::path path = directory / "x.bin";
  SECTION("missing") { check_refused(analyze({"summary", path.string()}), path, {"No such file"}); }
  SECTION("empty") { check_refused(analyze_bytes("", path), path, {"offset 0", "expected", "found"}); }
  SECTION("one byte") { check_refused(analyze_bytes("\x89", path), path, {"offset", "expected", "found"}); }
  SECTION("text") {
    check_refused(analyze_bytes(std::string(100000, 'a'), path), path, {"offset 0", "expected", "found"});
  }
  SECTION("a header that ends early") {
    check_refused(analyze_bytes(good_trace().substr(0, 100), path), path, {"expected", "found"});
  }
  SECTION("a directory") {
    fs::create_directory(path);
    check_refused(analyze({"summary", path.string()}), path, {});
  }
  SECTION("a fifo, which nobody writes") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    check_refused(analyze({"summary", path.string()}), path, {});
  }
  SECTION("a device without an end") { check_refused(analyze({"summary", "/dev/zero"}), "/dev/zero", {}); }
  SECTION("zeros") { check_refused(analyze_bytes(std::string(kPage * 4, '\0'), path), path, {"offset 0"}); }
}

TEST_CASE("a trace of a version to come is refused by its number", "[hosts][bad traces]") {
  FreshDirectory directory;
  std::string bytes = good_trace();
  put_u32(&bytes, kVersionOffset, 4711);
  seal_header(&bytes);
  check_refused(analyze_bytes(bytes, directory / "x.bin"), directory / "x.bin", {"version", "4711", "offset 8"});
}

TEST_CASE("a header that contradicts itself is refused", "[hosts][bad traces]") {
  FreshDirectory directory;
  const fs::path path = directory / "x.bin";
  std::string bytes = good_trace();
  SECTION("a damaged byte, which the checksum shows") {
    bytes[100] = static_cast<char>(bytes[100] ^ 1);
    check_refused(analyze_bytes(bytes, path), path, {"checksum"});
  }
  for (const uint32_t size : {0u, 1u, 5000u, 0x80000000u}) {
    put_u32(&bytes, kPageSizeOffset, size);
    seal_header(&bytes);
    check_refused(analyze_bytes(bytes, path), path, {"offset 20", "expected", "found"});
  }
}

TEST_CASE("a page with a wrong byte is left out, with a warning", "[hosts][bad traces]") {
  FreshDirectory directory;
  std::string bytes = good_trace();
  // A sealed page says 2 in its sixth byte.
  size_t page = kPage;
  while (page + kPage <= bytes.size() && bytes[page + 5] != 2) page += kPage;
  REQUIRE(page + kPage <= bytes.size());
  bytes[page + 70] = static_cast<char>(bytes[page + 70] ^ 0x10);
  const fs::path path = directory / "x.bin";
  write_file(path, bytes);
  const Outcome outcome = analyze({"summary", "--json", path.string()});
  CHECK(outcome.exit_status == 0);
  INFO(outcome.err);
  CHECK(outcome.err.find(path.string()) != std::string::npos);
  const Json summary = Json::parse(outcome.out);
  CHECK(summary.at("trace").at("damaged_pages") == 1);
  CHECK(summary.at("trace").at("complete") == false);
}

TEST_CASE("a trace cut anywhere is read as far as it goes, or refused", "[hosts][bad traces]") {
  FreshDirectory directory;
  const fs::path path = directory / "x.bin";
  const std::string& whole = good_trace();
  for (int step = 0; step <= 60; ++step) {
    const size_t bytes = whole.size() * static_cast<size_t>(step) / 61;
    INFO("the first " << bytes << " bytes of " << whole.size());
    write_file(path, whole.substr(0, bytes));
    const Outcome outcome = analyze({"summary", "--json", path.string()});
    INFO(outcome.err);
    CHECK(outcome.signal == 0);
    CHECK((outcome.exit_status == 0 || outcome.exit_status == 3));
    if (outcome.exit_status != 0) continue;
    // Complete only when what was cut off had nothing in it.
    const Json summary = Json::parse(outcome.out);
    CHECK(summary.at("allocations") <= kBlocks);
    CHECK((summary.at("trace").at("complete") == false || summary.at("allocations") == kBlocks));
  }
}

// tests/unit/reader_golden.cpp damages every byte of a golden trace and cuts it at every length, in one process. This
// is the sample of it that goes through the program: every third byte of all headers, with all commands in turns.
TEST_CASE("no damaged byte makes memprof-analyze crash", "[hosts][bad traces]") {
  static const std::vector<std::vector<std::string>> kCommands = {{"summary"},
                                                                  {"summary", "--json"},
                                                                  {"stacks"},
                                                                  {"stacks", "--json"},
                                                                  {"leaks"},
                                                                  {"chunks"},
                                                                  {"dump"},
                                                                  {"dump", "--stats"},
                                                                  {"dump", "--stats", "--json"}};
  FreshDirectory directory;
  const fs::path path = directory / "x.bin";
  const std::string whole = read_file(std::string(paths::kSource) + "/tests/golden/trace_v1.bin");
  REQUIRE(whole.size() % kPage == 0);
  std::vector<size_t> offsets;
  for (size_t at = 0; at < kHeaderBytes; at += 3) offsets.push_back(at);
  for (size_t page = kPage; page < whole.size(); page += kPage)
    for (size_t at = 0; at < 96; at += 3) offsets.push_back(page + at);
  for (size_t i = 0; i < offsets.size(); ++i) {
    std::vector<std::string> command = kCommands[i % kCommands.size()];
    // Symbols of a few: they are most of the time.
    if (i % 16 != 0) command.push_back("--no-symbols");
    command.push_back(path.string());
    std::string bytes = whole;
    const bool is_cut = i % 4 == 3;
    is_cut ? bytes.resize(offsets[i]) : void(bytes[offsets[i]] = static_cast<char>(bytes[offsets[i]] ^ (1 << i % 8)));
    write_file(path, bytes);
    const Outcome outcome = analyze(command);
    INFO("byte " << offsets[i] << (is_cut ? " cut" : " flipped") << ", " << command[0] << ": " << outcome.err);
    CHECK(outcome.signal == 0);
    CHECK((outcome.exit_status == 0 || outcome.exit_status == 3));
  }
}

TEST_CASE("memprof-analyze runs nothing, writes nothing and asks nobody, whatever a trace names",
          "[hosts][bad traces]") {
  constexpr const char* kStrace = "/usr/bin/strace";
  FreshDirectory directory;
  const fs::path script = directory / "evil.so";
  write_file(script, "#!/bin/sh\ntouch " + (directory / "was-run").string() + "\n");
  fs::permissions(script, fs::perms::owner_all);
  const fs::path path = directory / "x.bin";
  memprof::test::TraceBuilder builder;
  uint32_t node = memprof::format::kRootWhole;
  for (const std::string& module :
       {script.string(), std::string(paths::kAnalyzer), std::string("/dev/zero"), std::string("/dev/tcp/127.0.0.1/80"),
        std::string("|touch was-run"), std::string("http://127.0.0.1:9/x")})
    node = builder.add_node(node, builder.add_module(module, 0, 0, 0), 0x1150);
  builder.alloc(1, 10, 0x1000, 24, node);
  const memprof::test::Bytes bytes = builder.build();
  write_file(path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));

  const auto traced = [&](const std::vector<std::string>& command) {
    std::vector<std::string> words = {kStrace, "-f", "-qq", "-o", (directory / "calls").string(), paths::kAnalyzer};
    words.insert(words.end(), command.begin(), command.end());
    return run({words, plain_environment(), directory.path(), "", {}});
  };
  if (!fs::exists(kStrace) || traced({"--version"}).exit_status != 0)
    return skip("strace may not trace a process here");
  for (const std::string command : {"summary", "stacks", "leaks", "chunks", "dump"}) {
    const Outcome outcome = traced({command, path.string()});
    INFO(command << ": " << outcome.err);
    CHECK(outcome.exit_status == 0);
    std::istringstream lines(read_file(directory / "calls"));
    size_t programs = 0;
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      programs += line.find("execve") != std::string::npos ? 1 : 0;
      if (line.find("CLONE_THREAD") != std::string::npos) continue;  // a thread is no program
      for (const char* call : {"fork(", "clone(", "clone3(", "socket(", "connect(", "creat(", "O_WRONLY", "O_RDWR",
                               "O_CREAT", "unlink", "rename", "chmod", "mkdir"})
        CHECK(line.find(call) == std::string::npos);
    }
    CHECK(programs == 1);  // itself
  }
  CHECK_FALSE(fs::exists(directory / "was-run"));
}

TEST_CASE("bad options end with 2 and a hint", "[hosts][bad traces]") {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--no-such-option"}, {"sumary", "x"}, {"chunks", "--state", "lost", "x"}, {"summary", "a", "b"}}) {
    const Outcome outcome = analyze(arguments);
    INFO(outcome.err);
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.find("--help") != std::string::npos);
  }
}

TEST_CASE("a report that cannot be written ends with 4", "[hosts][bad traces]") {
  FreshDirectory directory;
  const fs::path path = directory / "x.bin";
  write_file(path, good_trace());
  const Outcome help = analyze({"--help"});
  CHECK(help.exit_status == 0);
  CHECK(help.out.find("summary") != std::string::npos);
  const Outcome outcome = run({{"/bin/sh", "-c", std::string(paths::kAnalyzer) + " chunks x.bin >/dev/full"},
                               plain_environment(),
                               directory.path(),
                               "",
                               {}});
  CHECK(outcome.exit_status == 4);
  CHECK(lines_of(outcome.err) == 1);
}

TEST_CASE("a stderr that cannot be written changes no exit status", "[hosts][bad traces]") {
  FreshDirectory directory;
  write_file(directory / "foreign.bin", "this is no trace");
  write_file(directory / "good.bin", good_trace());
  const auto status = [&](const std::string& arguments) {
    const std::string command = std::string(paths::kAnalyzer) + " " + arguments + " >/dev/null 2>/dev/full";
    const Outcome outcome = run({{"/bin/sh", "-c", command}, plain_environment(), directory.path(), "", {}});
    return outcome.exit_status;
  };
  CHECK(status("foreign.bin") == 3);
  CHECK(status("--no-such-option") == 2);
  CHECK(status("good.bin") == 0);
}
