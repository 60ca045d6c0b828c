// The recipes of README.md, "In CI": taken from the page itself and run on a project that stands in for the reader's,
// with memprof in a checkout beside it or installed. Nothing is fetched: apt-get does nothing, and actions (`uses`) are
// not run.
#include <catch2/catch.hpp>
#include <regex>
#include <sstream>

#include "host.h"
#include "paths.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The fenced block of README.md that has this among its first two lines.
std::string recipe(const std::string& title) {
  std::istringstream page(read_file(fs::path(paths::kSource) / "README.md"));
  std::vector<std::string> found;
  std::string block;
  size_t lines = 0;
  bool is_inside = false, is_wanted = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      if (is_inside && is_wanted) found.push_back(block);
      is_inside = !is_inside;
      is_wanted = false;
      lines = 0;
      block.clear();
    } else if (is_inside) {
      block += line + "\n";
      is_wanted =
          is_wanted ||
          (lines < 2 && line.substr(std::min<size_t>(line.find_first_not_of("#/ "), line.size())).starts_with(title));
      ++lines;
    }
  }
  INFO(title);
  REQUIRE(found.size() == 1);
  return found.front();
}

Outcome must_run(std::vector<std::string> arguments, const fs::path& directory, const std::string& input = "") {
  Outcome outcome = run({std::move(arguments), plain_environment(), directory, input, {}});
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_status == 0);
  return outcome;
}

// memprof as `meson install` leaves it, below another root; once for all tests.
const fs::path& installed() {
  static const FreshDirectory root;
  static const bool is_done = [] {
    must_run({"meson", "install", "-C", paths::kBuild, "--no-rebuild", "--quiet", "--destdir", root.path().string()},
             root.path());
    return true;
  }();
  static const fs::path prefix = is_done ? root / "usr/local" : fs::path();
  return prefix;
}

enum class Memprof { checkout, installed };

constexpr const char* kSource = R"(#include <stdlib.h>
#include <string.h>
#ifndef LEAKS
#define LEAKS 0
#endif
__attribute__((noinline)) static void lose(void) { char* volatile lost = malloc(100); *lost = 1; lost = NULL; }
__attribute__((noinline)) static void lose_more(void) { char* volatile lost = malloc(200); *lost = 1; lost = NULL; }
int main(int count, char** arguments) {
  free(malloc(10));
  if (LEAKS > 0 || (count > 1 && strcmp(arguments[1], "leak") == 0)) lose();
  if (LEAKS > 1) lose_more();
  return 0;
}
)";

// A reader's project: two tests, of which one may leak.
class Project {
 public:
  explicit Project(Memprof memprof, bool leaks = true) : memprof_(memprof) {
    for (const char* name : {"src", "bin", "memprof"}) fs::create_directory(directory_ / name);
    write("src/keep.c", kSource);
    write("CMakeLists.txt", std::string("cmake_minimum_required(VERSION 3.18)\nproject(standin C)\ninclude(CTest)\n"
                                        "add_executable(keep src/keep.c)\nadd_test(NAME clean COMMAND keep)\n") +
                                (leaks ? "add_test(NAME leaky COMMAND keep leak)\n" : ""));
    write("meson.build", std::string("project('standin', 'c')\nkeep = executable('keep', 'src/keep.c')\n"
                                     "test('clean', keep)\n") +
                             (leaks ? "test('leaky', keep, args: 'leak')\n" : ""));
    write("bin/apt-get", "#!/bin/sh\necho \"$*\" >> apt-get.log\n");
    fs::permissions(directory_ / "bin/apt-get", fs::perms::owner_all);
    if (memprof == Memprof::installed) return;
    const fs::path source = paths::kSource;
    fs::copy(source / "scripts", directory_ / "memprof/scripts", fs::copy_options::recursive);
    fs::create_directory_symlink(source / "preload", directory_ / "memprof/preload");
    fs::create_directory_symlink(paths::kBuild, directory_ / "memprof/build");
  }

  fs::path path() const { return directory_.path(); }
  void write(const std::string& name, const std::string& text) const { write_file(directory_ / name, text); }
  std::string read(const std::string& name) const { return read_file(directory_ / name); }
  fs::path include() const {
    return memprof_ == Memprof::installed ? installed() / "include" : directory_ / "memprof/preload/include";
  }
  size_t runs_kept() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(directory_ / "traces"), fs::directory_iterator()));
  }

  // As a job's shell does, with $MEMPROF set where the recipe leaves that to its reader.
  Outcome shell(const std::string& commands, std::map<std::string, std::string> variables = {}) const {
    std::string search = (directory_ / "bin").string() + ":/usr/local/bin:/usr/bin:/bin";
    if (memprof_ == Memprof::installed) {
      search = (installed() / "bin").string() + ":" + search;
      variables["MEMPROF"] = "memprof";
    }
    std::vector<std::string> environment = {"PATH=" + search, "LC_ALL=C.UTF-8", "HOME=" + path().string()};
    for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
    return run({{"bash", "-e", "-o", "pipefail", "-c", commands}, environment, path(), "", {}});
  }
  Outcome shell_with_script(const std::string& commands) const {
    return shell(commands, {{"MEMPROF", "memprof/scripts/memprof"}});
  }

 private:
  FreshDirectory directory_;
  Memprof memprof_;
};

Json parse_yaml(const std::string& text) {
  const char* const kProgram = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
  return Json::parse(must_run({"python3", "-c", kProgram}, "/", text).out);
}

std::map<std::string, std::string> variables_of(const Json& job, const char* key) {
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : job.at(key).items()) variables[name] = value.get<std::string>();
  return variables;
}

// The first step that fails decides; those with always() run all the same.
struct JobRun {
  int status = 0;
  std::string out, err;
  std::vector<std::string> actions;
};

JobRun run_github_job(const Project& project) {
  const Json job = parse_yaml(recipe(".github/workflows/leaks.yml")).at("jobs").at("leaks");
  std::map<std::string, std::string> variables = variables_of(job, "env");
  variables["GITHUB_STEP_SUMMARY"] = (project.path() / "summary.md").string();
  JobRun result;
  for (const Json& step : job.at("steps")) {
    const std::string condition = step.value("if", "");
    if (!condition.empty()) CHECK(condition == "always()");
    if (result.status != 0 && condition.empty()) continue;
    if (step.contains("uses")) {
      result.actions.push_back(step.at("uses"));
      const Json with = step.value("with", Json::object());
      for (const auto& [name, value] : with.items())
        if (name == "sarif_file") CHECK(fs::exists(project.path() / value.get<std::string>()));
      continue;
    }
    const Outcome outcome = project.shell(step.at("run"), variables);
    result.out += outcome.out;
    result.err += outcome.err;
    if (result.status == 0) result.status = outcome.exit_status;
  }
  return result;
}

JobRun run_gitlab_job(const Project& project) {
  const Json job = parse_yaml(recipe(".gitlab-ci.yml")).at("leaks");
  JobRun result;
  for (const Json& line : job.at("script")) {
    const Outcome outcome = project.shell(line, variables_of(job, "variables"));
    result.out += outcome.out;
    result.err += outcome.err;
    result.status = outcome.exit_status;
    if (result.status != 0) break;
  }
  CHECK(job.at("artifacts").at("when") == "always");
  CHECK(fs::exists(project.path() / job.at("artifacts").at("reports").at("junit").get<std::string>()));
  return result;
}

// Compiles one file of tests with a listener in it, and runs it by the recipe for scopes.
Outcome run_listener(const Project& project, const std::string& source,
                     const std::vector<std::string>& libraries = {}) {
  fs::create_directory(project.path() / "build");
  project.write("src/tests.cpp", source);
  std::vector<std::string> compile = {"g++",           "-std=c++17", "-g",         "-I" + project.include().string(),
                                      "src/tests.cpp", "-o",         "build/tests"};
  compile.insert(compile.end(), libraries.begin(), libraries.end());
  must_run(compile, project.path());
  must_run({"build/tests"}, project.path());  // without memprof
  return project.shell_with_script(recipe("only scopes and mismatched frees decide"));
}

constexpr const char* kLoses = R"(
#include <cstdlib>
[[gnu::noinline]] void lose(size_t bytes) { char* volatile lost = static_cast<char*>(malloc(bytes)); *lost = 1; lost = nullptr; }
)";

}  // namespace

TEST_CASE("the GitHub job fails on a leak, and says so in every place", "[hosts][recipes]") {
  const Project project(Memprof::checkout);
  const JobRun job = run_github_job(project);
  INFO(job.out << job.err);
  CHECK(job.status == 1);
  CHECK(has(job.err, "::error file=src/keep.c,line=6,title=definite leak::definite leak at lose (keep.c:6)"));
  CHECK(has(job.err, "check: FAILED: 1 leak (100 B in 1 block)"));
  CHECK(has(project.read("summary.md"), "lose"));
  const Json sarif = Json::parse(project.read("leaks.sarif"));
  CHECK(sarif.at("version") == "2.1.0");
  const Json& result = sarif.at("runs").at(0).at("results").at(0);
  CHECK(result.at("locations").at(0).at("physicalLocation").at("artifactLocation").at("uri") == "src/keep.c");
  CHECK(job.actions ==
        std::vector<std::string>{"actions/checkout@v4", "actions/checkout@v4", "github/codeql-action/upload-sarif@v3"});
  CHECK(has(project.read("apt-get.log"), "install"));
}

TEST_CASE("the GitHub job passes without leaks", "[hosts][recipes]") {
  const Project project(Memprof::installed, false);
  const JobRun job = run_github_job(project);
  INFO(job.out << job.err);
  CHECK(job.status == 0);
  CHECK(has(job.err, "check: passed"));
  CHECK_FALSE(has(job.err, "::error"));
  CHECK(has(project.read("summary.md"), "passed"));
  CHECK(has(job.out, "100% tests passed"));
}

TEST_CASE("the GitLab job fails on a leak, and its report has it", "[hosts][recipes]") {
  const Project project(Memprof::installed);
  const JobRun job = run_gitlab_job(project);
  INFO(job.out << job.err);
  CHECK(job.status == 1);
  CHECK(has(project.read("leaks.xml"), "<failure type=\"definite leak\""));
  CHECK(project.runs_kept() == 1);
}

TEST_CASE("the GitLab job passes without leaks", "[hosts][recipes]") {
  const Project project(Memprof::checkout, false);
  const JobRun job = run_gitlab_job(project);
  INFO(job.out << job.err);
  CHECK(job.status == 0);
  CHECK_FALSE(has(project.read("leaks.xml"), "<failure"));
}

TEST_CASE("under CTest the test that leaks fails, and no other", "[hosts][recipes]") {
  const Memprof memprof = GENERATE(Memprof::checkout, Memprof::installed);
  const Project project(memprof);
  const Outcome outcome = project.shell(recipe("CTest"));
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_status != 0);
  CHECK(has(outcome.out, "50% tests passed, 1 tests failed out of 2"));
  CHECK(has(outcome.out, "leaky (Failed)"));
  CHECK(has(outcome.out, "check: FAILED: 1 leak (100 B in 1 block)"));
  CHECK(project.runs_kept() == 2);
}

TEST_CASE("CTest takes memprof for memcheck", "[hosts][recipes]") {
  const Project project(Memprof::checkout);
  project.write("memcheck.sh", recipe("memcheck.sh"));
  fs::permissions(project.path() / "memcheck.sh", fs::perms::owner_all);
  const Outcome outcome = project.shell(recipe("ctest -T memcheck"));
  INFO(outcome.out << outcome.err);
  CHECK(has(outcome.out, "#2: leaky ............................   Defects: 1\n"));
  CHECK(has(outcome.out, "Memory Leak - 1\n"));
  CHECK_FALSE(has(outcome.out, "#1: clean ............................   Defects"));
}

TEST_CASE("under Meson's wrapper the test that leaks fails, and no other", "[hosts][recipes]") {
  const Memprof memprof = GENERATE(Memprof::checkout, Memprof::installed);
  const Project project(memprof);
  const Outcome outcome = project.shell(recipe("Meson"));
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_status != 0);
  CHECK(std::regex_search(outcome.out, std::regex("clean +OK")));
  CHECK(std::regex_search(outcome.out, std::regex("leaky +FAIL")));
  CHECK(has(outcome.out, "check: FAILED: 1 leak (100 B in 1 block)"));
}

TEST_CASE("under CTest and Meson tests without leaks pass", "[hosts][recipes]") {
  const std::string title = GENERATE("CTest", "Meson");
  const Project project(Memprof::installed, false);
  const Outcome outcome = project.shell(recipe(title));
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_status == 0);
  CHECK(project.runs_kept() == 1);
}

TEST_CASE("with the Catch2 listener the test case that leaks is named", "[hosts][recipes]") {
  const Project project(Memprof::checkout);
  const Outcome outcome =
      run_listener(project, "#define CATCH_CONFIG_MAIN\n" + recipe("A Catch2 listener") + kLoses + R"(
TEST_CASE("parses a list") { CHECK(1 + 1 == 2); lose(100); }
TEST_CASE("parses a map") { CHECK(std::string(100, 'x').size() == 100); }
)");
  INFO(outcome.err);
  CHECK(outcome.exit_status == 1);
  // The words that README.md says.
  CHECK(has(read_file(fs::path(paths::kSource) / "README.md"),
            "`scope parses a list (bytes): 100 B, over the limit of 0 B`"));
  CHECK(has(outcome.err,
            "  scope parses a list (bytes): 100 B, over the limit of 0 B\n"
            "      by the definite leak at lose(unsigned long) (tests.cpp:"));
  CHECK_FALSE(has(outcome.err, "parses a map"));
}

TEST_CASE("with the GoogleTest listener the test that leaks is named", "[hosts][recipes]") {
  const Project project(Memprof::installed);
  const Outcome outcome = run_listener(project, recipe("A GoogleTest listener") + kLoses + R"(
TEST(List, IsParsed) { EXPECT_EQ(1 + 1, 2); lose(100); }
TEST(Map, IsParsed) { EXPECT_EQ(std::string(100, 'x').size(), 100u); }
)",
                                       {"-lgtest", "-lpthread"});
  INFO(outcome.err);
  CHECK(outcome.exit_status == 1);
  CHECK(has(outcome.err, "scope List.IsParsed (bytes): 100 B, over the limit of 0 B"));
  CHECK_FALSE(has(outcome.err, "Map.IsParsed"));
}

TEST_CASE("with a baseline only what is new fails, and what is fixed is told", "[hosts][recipes]") {
  const Project project(Memprof::checkout);
  fs::create_directory(project.path() / "build");
  const auto build_with = [&](const char* leaks) {
    must_run({"gcc", "-g", std::string("-DLEAKS=") + leaks, "src/keep.c", "-o", "build/tests"}, project.path());
  };
  must_run({"git", "init", "--quiet"}, project.path());
  build_with("1");
  Outcome outcome = project.shell_with_script(recipe("leaks.json: once"));
  INFO(outcome.err);
  REQUIRE(outcome.exit_status == 0);
  CHECK(must_run({"git", "status", "--porcelain", "leaks.json"}, project.path()).out == "A  leaks.json\n");
  outcome = project.shell_with_script(recipe("in the job"));
  CHECK(outcome.exit_status == 0);
  build_with("2");
  outcome = project.shell_with_script(recipe("in the job"));
  CHECK(outcome.exit_status == 1);
  CHECK(has(outcome.err, "new definite leak: 200 B in 1 block"));
  CHECK_FALSE(has(outcome.err, "#0  lose  "));
  build_with("0");
  outcome = project.shell_with_script(recipe("in the job"));
  CHECK(outcome.exit_status == 0);
  CHECK(has(outcome.err, "fixed, but still in the baseline"));
}

TEST_CASE("README's line without the script records what a check needs", "[hosts][recipes]") {
  const Project project(Memprof::installed);
  must_run({"gcc", "-g", "-DLEAKS=1", "src/keep.c", "-o", "tests"}, project.path());
  const std::string page = read_file(fs::path(paths::kSource) / "README.md");
  CHECK(has(page, "`LD_PRELOAD=libmemprof.so MEMPROF_SNAPSHOT=exit ./tests`, then `memprof-analyze check trace*.bin`"));
  const Outcome recorded = project.shell("LD_PRELOAD=libmemprof.so MEMPROF_SNAPSHOT=exit ./tests",
                                         {{"LD_LIBRARY_PATH", fs::path(paths::kLibrary).parent_path().string()}});
  CHECK(recorded.exit_status == 0);
  CHECK(project.shell("memprof-analyze check trace*.bin").exit_status == 1);
}

TEST_CASE("README's example of a budget file is one", "[hosts][recipes]") {
  const std::string page = read_file(fs::path(paths::kSource) / "README.md");
  const std::string first = "function parse_* bytes=10K blocks=20", second = "module libjson.so peak=1M";
  CHECK(has(page, "`" + first + "`, `" + second + "`"));
  const Project project(Memprof::checkout);
  project.write("budget", first + "\n" + second + "\n");
  must_run({"gcc", "-g", "src/keep.c", "-o", "tests"}, project.path());
  CHECK(project.shell_with_script("$MEMPROF --check --budget budget -- ./tests").exit_status == 0);
  project.write("budget", "function main allocations=0\n");
  CHECK(project.shell_with_script("$MEMPROF --check --budget budget -- ./tests").exit_status == 1);
}
