// Whose a finding is.
#include <catch2/catch.hpp>

#include "gate/blame.h"
#include "gate_findings.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;

namespace {

FindingFrame frame(const std::string& function, const std::string& file,
                   const std::string& module = "/opt/app/bin/app") {
  return {function, "", file, 1, module, 0x10, false};
}

// The C library, a library of others, the program's own library, the program.
Finding finding_of_ours() {
  Finding finding;
  finding.frames = {frame("std::vector<int>::push_back(int)", "/usr/include/c++/12/vector"),
                    frame("strdup", "", "/lib/x86_64-linux-gnu/libc.so.6"),
                    frame("g_list_add", "/build/glib/glist.c", "/usr/lib/libglib-2.0.so.0.7"),
                    frame("app::load(char const*)", "/home/me/app/src/load.cpp"),
                    frame("main", "/home/me/app/main.cpp"),
                    frame("_start", "")};
  return finding;
}

Finding assigned(const std::vector<std::string>& only_from, const std::vector<std::string>& ignored = {},
                 Finding finding = finding_of_ours()) {
  std::string problem;
  const Blame blame = Blame::parse(only_from, ignored, problem);
  REQUIRE(problem == "");
  blame.assign(finding);
  return finding;
}

bool is_ours(const std::string& only_from) { return !assigned({only_from}).is_elsewhere; }

}  // namespace

TEST_CASE("the innermost frame that is not of the language's libraries is blamed", "[gate][blame]") {
  CHECK(assigned({}).blamed == 2);
  CHECK_FALSE(assigned({}).is_elsewhere);
  Finding unknown;
  CHECK(assigned({}, {}, unknown).blamed == 0);
  unknown.frames = {frame("malloc_info", "", "/lib/libc.so.6")};
  CHECK(assigned({}, {}, unknown).blamed == 1);  // none
}

TEST_CASE("frames of the language's libraries are known by module and by function", "[gate][blame]") {
  for (const char* module :
       {"/lib/libc.so.6", "/lib/libc-2.31.so", "/lib64/ld-linux-x86-64.so.2", "/usr/lib/libstdc++.so.6",
        "/lib/libpthread.so.0", "/usr/lib/libc++.so.1", "/usr/lib/libc++abi.so.1"})
    CHECK(is_runtime_frame(frame("f", "", module)));
  for (const char* module : {"/usr/lib/libcrypto.so.3", "/opt/libc.so/app", "/usr/lib/libstdcpp.so", ""})
    CHECK_FALSE(is_runtime_frame(frame("f", "", module)));
  for (const char* function :
       {"std::string::reserve(unsigned long)", "void std::vector<app::Thing>::emplace_back<int>(int&&)",
        "__gnu_cxx::new_allocator<int>::allocate(unsigned long)", "operator new(unsigned long)",
        "operator new[](unsigned long)", "__libc_start_main", "_start",
        "std::enable_if<true, int>::type std::__invoke<int>(int)"})
    CHECK(is_runtime_frame(frame(function, "")));
  for (const char* function :
       {"app::make(std::string const&)", "void app::fill<std::vector<int> >(int)", "(anonymous namespace)::std_like()",
        "operator<<(std::ostream&, int)", "app::Thing::operator new(unsigned long)", "mystd::f()", ""})
    CHECK_FALSE(is_runtime_frame(frame(function, "")));
}

TEST_CASE("a directory is one of sources, with all below it", "[gate][blame]") {
  CHECK(is_ours("/home/me/app"));
  CHECK(is_ours("/home/me/app/"));
  CHECK(is_ours("/home/me/app/src"));
  CHECK_FALSE(is_ours("/home/me/ap"));
  CHECK_FALSE(is_ours("/me/app"));
  CHECK_FALSE(is_ours("/home/you"));
}

TEST_CASE("a relative directory is one anywhere in a path", "[gate][blame]") {
  CHECK(is_ours("app/src"));
  CHECK(is_ours("src/"));
  CHECK(is_ours("./src"));
  CHECK(is_ours("src/."));
  CHECK_FALSE(is_ours("rc"));
  CHECK_FALSE(is_ours("sr"));
  CHECK_FALSE(is_ours("./lib"));
  // As the compiler may have recorded it.
  Finding relative;
  relative.frames = {frame("f", "src/load.cpp")};
  CHECK_FALSE(assigned({"src"}, {}, relative).is_elsewhere);
  relative.frames = {frame("f", "../src/load.cpp")};
  CHECK_FALSE(assigned({"src"}, {}, relative).is_elsewhere);
}

TEST_CASE("a path that goes up and down again is where it ends", "[gate][blame]") {
  Finding finding;
  finding.frames = {frame("f", "/home/me/app/build/../src/./load.cpp")};
  CHECK_FALSE(assigned({"/home/me/app/src"}, {}, finding).is_elsewhere);
  CHECK_FALSE(assigned({"app/src"}, {}, finding).is_elsewhere);
  CHECK(assigned({"/home/me/app/build"}, {}, finding).is_elsewhere);
}

TEST_CASE("the directory that the gate runs in is ours when it is named so", "[gate][blame]") {
  const std::string here = std::filesystem::current_path();
  Finding finding;
  finding.frames = {frame("f", here + "/src/load.cpp")};
  CHECK_FALSE(assigned({"."}, {}, finding).is_elsewhere);
  CHECK_FALSE(assigned({"./"}, {}, finding).is_elsewhere);
  CHECK_FALSE(assigned({"../" + std::filesystem::path(here).filename().string()}, {}, finding).is_elsewhere);
  CHECK(assigned({"."}).is_elsewhere);
}

TEST_CASE("a glob or a name is one of source files and modules", "[gate][blame]") {
  CHECK(is_ours("load.cpp"));
  CHECK(is_ours("*/src/*.cpp"));
  CHECK(is_ours("*/app/*"));
  CHECK(is_ours("app"));
  CHECK(is_ours("libglib-2.0.so"));
  CHECK(is_ours("libglib-*"));
  CHECK(is_ours("/load.(c|cpp)$/"));
  CHECK_FALSE(is_ours("store.cpp"));
  CHECK_FALSE(is_ours("libgtk*"));
}

TEST_CASE("the innermost frame that is ours is blamed", "[gate][blame]") {
  CHECK(assigned({"/home/me"}).blamed == 3);
  CHECK(assigned({"main.cpp"}).blamed == 4);
  CHECK(assigned({"main.cpp", "libglib*"}).blamed == 2);
  const Finding elsewhere = assigned({"/home/you"});
  CHECK(elsewhere.is_elsewhere);
  CHECK(elsewhere.blamed == 2);
}

TEST_CASE("what an ignored module allocates is elsewhere, what it only calls is not", "[gate][blame]") {
  CHECK(assigned({}, {"libglib-2.0.so"}).is_elsewhere);
  CHECK(assigned({}, {"libg*"}).is_elsewhere);
  CHECK_FALSE(assigned({}, {"app"}).is_elsewhere);
  // The C library that it called by is not whose it is.
  CHECK_FALSE(assigned({}, {"libc.so"}).is_elsewhere);
  CHECK(assigned({"/home/me"}, {"libglib-2.0.so"}).is_elsewhere);
  CHECK_FALSE(assigned({}, {"lib*", "!libglib*"}).is_elsewhere);
}

TEST_CASE("what is no pattern is refused with the option's name", "[gate][blame]") {
  const auto problem_of = [](const std::vector<std::string>& only_from, const std::vector<std::string>& ignored) {
    std::string problem;
    Blame::parse(only_from, ignored, problem);
    return problem;
  };
  CHECK_THAT(problem_of({"src", "/(/"}, {}), Contains("--only-from /(/: "));
  CHECK_THAT(problem_of({"!src"}, {}), Contains("--only-from !src: ") && Contains("!"));
  CHECK_THAT(problem_of({}, {"/(/"}), Contains("--ignore-module: "));
  CHECK_THAT(problem_of({""}, {}), Contains("--only-from"));
}
