#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <sys/stat.h>

#include "symbols/symbolizer.h"
#include "symbols_data/fixture.h"

// Which files of a module are used, and what is said about those that are not. Works on patched copies of
// symbols_data/sample.cpp, built as a shared object with -g at MEMPROF_SYMBOLS_SAMPLE.

using namespace memprof;
using namespace symbols_test;

namespace {

struct Answer {
  std::vector<SourceFrame> frames;
  Symbolizer::ModuleReport report;
  std::string function() const { return std::string(frames[0].function); }
};

// Asks for the first instruction of sample_leaf in the module `path`. Copies of the text that the frames refer to
// are not needed: the symbolizer is kept until the test ends.
class Asking {
 public:
  explicit Asking(const std::string& path, const BuildId& build_id = build_id_of(kSample),
                  const Symbolizer::Options& options = no_debug_dirs())
      : symbolizer_({ModuleInfo{path, build_id, kBias, 0, 0}}, options) {
    const uint64_t leaf = symbol_address(kSample, "sample_leaf");
    const auto frames = symbolizer_.resolve(0, leaf + kBias, false);
    answer_ = {{frames.begin(), frames.end()}, symbolizer_.module_reports().at(0)};
    offset_is_right_ = leaf != 0 && frames[0].offset == leaf && frames[0].module == path;
  }
  const Answer* operator->() const { return &answer_; }
  bool offset_is_right() const { return offset_is_right_; }
  bool found_line() const { return answer_.frames[0].function == "sample_leaf" && answer_.frames[0].line != 0; }
  bool found_nothing() const { return answer_.frames[0].function.empty() && answer_.frames[0].line == 0; }

  static Symbolizer::Options no_debug_dirs() {
    Symbolizer::Options options = offline_options();
    options.files.debug_dirs.clear();
    return options;
  }

 private:
  Symbolizer symbolizer_;
  Answer answer_;
  bool offset_is_right_ = false;
};

std::string sample_bytes() {
  static const std::string bytes = read_bytes(kSample);
  return bytes;
}

// The sample as `strip` would leave it, as far as the symbolizer can see: no section is called .debug_info.
std::string without_dwarf(const std::string& bytes) {
  return patched(patched(bytes, ".debug_info", ".xebug_info"), ".xxx_debuglink", ".gnu_debuglink");
}

// Without a build id: the note has another type (3 stands for NT_GNU_BUILD_ID).
std::string without_build_id(const std::string& bytes) {
  const std::string note("\x03\0\0\0GNU\0", 8);
  return patched(bytes, note, std::string("\x13\0\0\0GNU\0", 8));
}

std::string build_id_path(const BuildId& id) {
  const std::string hex = to_hex(id);
  return "/.build-id/" + hex.substr(0, 2) + "/" + hex.substr(2) + ".debug";
}

}  // namespace

TEST_CASE("the sample itself has all that the tests rely on", "[symbols]") {
  REQUIRE(sample_bytes().size() > 1000);
  REQUIRE(build_id_of(kSample).size() >= 8);
  const Asking asked(kSample);
  CHECK(asked.found_line());
  CHECK(asked.offset_is_right());
  CHECK(asked->report.detail == ModuleSymbols::Detail::lines);
  CHECK(asked->report.debug_file == kSample);
  CHECK(asked->report.problem.empty());
}

TEST_CASE("a file with another build id is not used", "[symbols]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "sample.so";
  BuildId other = build_id_of(kSample);
  other[0] ^= std::byte{1};
  write_bytes(path, patched(sample_bytes(), text_of(build_id_of(kSample)), text_of(other)));

  const Asking asked(path);
  CHECK(asked.found_nothing());
  CHECK(asked.offset_is_right());
  CHECK(asked->report.detail == ModuleSymbols::Detail::none);
  CHECK(asked->report.problem ==
        "build id differs: trace " + to_hex(build_id_of(kSample)) + ", file " + to_hex(other) + " (" + path + ")");

  write_bytes(path, without_build_id(sample_bytes()));
  const Asking none(path);
  CHECK(none.found_nothing());
  CHECK(none->report.problem.find("file has none") != std::string::npos);
}

TEST_CASE("a trace without build id: the file is used, and that is said", "[symbols]") {
  const Asking asked(kSample, {});
  CHECK(asked.found_line());
  CHECK(asked->report.problem == kSample + " is used unverified: the trace has no build id");
}

TEST_CASE("what is no readable ELF file gives module and offset and a reason", "[symbols]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "thing";
  std::string reason;

  SECTION("nothing there") { reason = "No such file or directory"; }
  SECTION("a fifo") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    reason = "is not a regular file";
  }
  SECTION("a directory") {
    std::filesystem::create_directory(path);
    reason = "is not a regular file";
  }
  SECTION("an empty file") {
    write_bytes(path, "");
    reason = "is not an ELF file";
  }
  SECTION("one that is too large to be one") {
    write_bytes(path, sample_bytes());
    std::filesystem::resize_file(path, (uint64_t{64} << 30) + 1);
    reason = "is larger than 68719476736 bytes";
  }
  SECTION("a link to itself") {
    std::filesystem::create_symlink("thing", path);
    reason = "Too many levels of symbolic links";
  }
  SECTION("a text") {
    write_bytes(path, "#!/bin/sh\ntouch /tmp/this-was-run\n");
    reason = "is not an ELF file";
  }
  SECTION("an archive, whose members libdw would read") {
    write_bytes(path, "!<arch>\n");
    reason = "is not an ELF file";
  }
  SECTION("only the start of one") {
    write_bytes(path, sample_bytes().substr(0, 40));
    reason = "is not an ELF file";
  }
  const Asking asked(path);
  CHECK(asked.found_nothing());
  CHECK(asked.offset_is_right());
  CHECK(asked->report.problem == path + ": " + reason);
}

TEST_CASE("paths that name no file", "[symbols]") {
  for (const std::string path :
       {"", "relative/lib.so", "[heap]", "//anon", "/dev/zero", "/dev/zero (deleted)", "/", "/dev/random", "/dev/tty",
        "/proc/kcore", "/proc/kmsg", "/proc/self/mem", "/proc/self/pagemap", "/sys/kernel/uevent_helper"})
    CHECK_FALSE(Asking(path)->report.problem.empty());
  CHECK_FALSE(Asking(std::string("/lib\0x", 6))->report.problem.empty());
  CHECK_FALSE(Asking("/" + std::string(100000, 'x'))->report.problem.empty());
}

TEST_CASE("the vDSO is no problem to report", "[symbols]") {
  for (const std::string path : {"linux-vdso.so.1", "[vdso]", "linux-gate.so.1"}) {
    const Asking asked(path);
    CHECK(asked.found_nothing());
    CHECK(asked.offset_is_right());
    CHECK(asked->report.problem.empty());
  }
}

TEST_CASE("a deleted file is known by its build id alone", "[symbols]") {
  CHECK(Asking(kSample + " (deleted)").found_line());
  const Asking unknown(kSample + " (deleted)", {});
  CHECK(unknown.found_nothing());
  CHECK(unknown->report.problem.find("was deleted") == 0);
}

TEST_CASE("files are looked for under the sysroot and in the search directories", "[symbols]") {
  const TemporaryDirectory directory;
  write_bytes(directory / "root/opt/lib/sample.so", sample_bytes());
  write_bytes(directory / "flat/sample.so", sample_bytes());
  Symbolizer::Options options = Asking::no_debug_dirs();

  CHECK(Asking("/opt/lib/sample.so", build_id_of(kSample), options).found_nothing());
  options.files.sysroot = directory / "root";
  CHECK(Asking("/opt/lib/sample.so", build_id_of(kSample), options).found_line());
  CHECK(Asking(kSample, build_id_of(kSample), options).found_nothing());  // not outside of it

  options.files.sysroot.clear();
  options.files.search_dirs = {directory / "root"};
  CHECK(Asking("/opt/lib/sample.so", build_id_of(kSample), options).found_line());
  options.files.search_dirs = {directory / "nowhere", directory / "flat"};
  CHECK(Asking("/opt/lib/sample.so", build_id_of(kSample), options).found_line());
  CHECK(Asking("relative/sample.so", build_id_of(kSample), options).found_line());
}

TEST_CASE("debug information is found by build id", "[symbols]") {
  const TemporaryDirectory directory;
  const BuildId id = build_id_of(kSample);
  const std::string stripped = directory / "sample.so", debug = directory / "debug" + build_id_path(id);
  write_bytes(stripped, without_dwarf(sample_bytes()));
  Symbolizer::Options options = offline_options();
  options.files.debug_dirs = {directory / "debug"};

  SECTION("none: symbols only") {
    const Asking asked(stripped, id, options);
    CHECK(asked->function() == "sample_leaf");
    CHECK_FALSE(asked.found_line());
    CHECK(asked->report.detail == ModuleSymbols::Detail::symbols);
    CHECK(asked->report.problem.empty());
  }
  SECTION("there") {
    write_bytes(debug, sample_bytes());
    const Asking asked(stripped, id, options);
    CHECK(asked.found_line());
    CHECK(asked->report.debug_file == debug);
  }
  SECTION("there, and the binary is gone") {
    write_bytes(debug, sample_bytes());
    const Asking asked(directory / "gone.so", id, options);
    CHECK(asked.found_line());
    CHECK(asked->report.problem.empty());
  }
  SECTION("of another build") {
    BuildId other = id;
    other[3] ^= std::byte{0x80};
    write_bytes(debug, patched(sample_bytes(), text_of(id), text_of(other)));
    CHECK_FALSE(Asking(stripped, id, options).found_line());
  }
  SECTION("a fifo") {
    std::filesystem::create_directories(std::filesystem::path(debug).parent_path());
    REQUIRE(::mkfifo(debug.c_str(), 0600) == 0);
    CHECK_FALSE(Asking(stripped, id, options).found_line());
  }
}

TEST_CASE("debug information is found by .gnu_debuglink", "[symbols]") {
  const TemporaryDirectory directory;
  const BuildId id = build_id_of(kSample);
  const std::string path = directory / "bin/sample.so";

  SECTION("with a build id, that decides") {
    write_bytes(path, without_dwarf(sample_bytes()));
    write_bytes(directory / "bin/.debug/sample.debug", sample_bytes());
    CHECK(Asking(path).found_line());
    BuildId other = id;
    other[0] ^= std::byte{1};
    write_bytes(directory / "bin/.debug/sample.debug", patched(sample_bytes(), text_of(id), text_of(other)));
    CHECK_FALSE(Asking(path).found_line());
  }
  SECTION("without one, the checksum does") {
    const std::string anonymous = without_build_id(sample_bytes());
    write_bytes(directory / "bin/sample.debug", anonymous);
    std::string error;
    const auto debug = ElfFile::open(directory / "bin/sample.debug", error);
    REQUIRE(debug);
    REQUIRE(debug->build_id().empty());
    const uint32_t checksum = debug->checksum();
    std::string crc(4, '\0');
    std::memcpy(crc.data(), &checksum, 4);
    // The section: the name, zeros up to a multiple of four, the checksum.
    const std::string name("sample.debug\0\0\0\0", 16);
    REQUIRE(without_dwarf(anonymous).find(name + std::string(4, '\0')) != std::string::npos);
    write_bytes(path, patched(without_dwarf(anonymous), name + std::string(4, '\0'), name + crc));
    CHECK(Asking(path, {}).found_line());

    write_bytes(directory / "bin/sample.debug", anonymous + "x");
    CHECK_FALSE(Asking(path, {}).found_line());
  }
  SECTION("under a debug directory that mirrors the tree") {
    write_bytes(path, without_dwarf(sample_bytes()));
    Symbolizer::Options options = offline_options();
    options.files.debug_dirs = {directory / "mirror"};
    write_bytes(directory / "mirror" + directory.path() + "/bin/sample.debug", sample_bytes());
    CHECK(Asking(path, id, options).found_line());
  }
  SECTION("a fifo there does not block") {
    write_bytes(path, without_dwarf(sample_bytes()));
    REQUIRE(::mkfifo((directory / "bin/sample.debug").c_str(), 0600) == 0);
    CHECK_FALSE(Asking(path).found_line());
  }
}

TEST_CASE("DWARF that needs a missing dwz file is not used", "[symbols]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "sample.so";
  write_bytes(path, patched(sample_bytes(), ".xxx_debugaltlink", ".gnu_debugaltlink"));
  SECTION("missing") {}
  SECTION("a fifo of that name, which libdw would open") {
    REQUIRE(::mkfifo((directory / "no-such-dwz-file").c_str(), 0600) == 0);
  }
  const Asking asked(path);
  CHECK(asked->function() == "sample_leaf");  // from .symtab
  CHECK_FALSE(asked.found_line());
  CHECK(asked->report.problem == "no lines: " + path + " needs no-such-dwz-file");
}
