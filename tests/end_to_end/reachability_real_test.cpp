// The oracle for what still leads to a block: memcheck's leak check, block for block.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "host.h"
#include "valgrind.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

// Blocks by the line of the source that asked for them, and the kind.
using Kinds = std::map<std::pair<uint64_t, std::string>, uint64_t>;

std::string describe(const Kinds& kinds) {
  std::ostringstream text;
  for (const auto& [key, blocks] : kinds) text << "line " << key.first << ": " << blocks << " " << key.second << "\n";
  return text.str();
}

std::string text_of(const std::string& xml, const std::string& element) {
  const size_t begin = xml.find("<" + element + ">");
  if (begin == std::string::npos) return {};
  const size_t from = begin + element.size() + 2;
  return xml.substr(from, xml.find("</" + element + ">", from) - from);
}

// visit(element) for all of a name that are not within one another.
template <class Visit>
void for_each_element(const std::string& xml, const std::string& name, Visit visit) {
  for (size_t at = 0; (at = xml.find("<" + name + ">", at)) != std::string::npos;) {
    const size_t end = xml.find("</" + name + ">", at);
    visit(xml.substr(at, end - at));
    at = end;
  }
}

const std::map<std::string, std::string> kKindOf = {{"Leak_DefinitelyLost", "definite"},
                                                    {"Leak_IndirectlyLost", "indirect"},
                                                    {"Leak_PossiblyLost", "possible"},
                                                    {"Leak_StillReachable", "reachable"}};

const std::vector<std::string> kMemcheck = {
    "--leak-check=full", "--show-leak-kinds=all", "--leak-check-heuristics=all", "--num-callers=100",
    // Without __libc_freeres: what the program itself leaves.
    "--run-libc-freeres=no", "--run-cxx-freeres=no", "--xml=yes", "--xml-file=memcheck.xml"};

// What the C library keeps for the next thread is not the program's. memcheck takes the control block of an ended
// thread for a root, and says possible; memprof, definite, and suppresses it in `check`.
constexpr const char* kOfLibrary = "_dl_allocate_tls";

// By line of the host's source, 0 for others.
Kinds kinds_by_memcheck(const fs::path& file) {
  const std::string xml = read_file(file);
  REQUIRE(xml.find("</valgrindoutput>") != std::string::npos);
  Kinds kinds;
  for_each_element(xml, "error", [&](const std::string& error) {
    const auto kind = kKindOf.find(text_of(error, "kind"));
    if (kind == kKindOf.end()) return;
    if (error.find(std::string("<fn>") + kOfLibrary) != std::string::npos) return;
    uint64_t line = 0;
    for_each_element(text_of(error, "stack"), "frame", [&](const std::string& frame) {
      if (line == 0 && text_of(frame, "file") == "lost_and_held.cpp") line = std::stoull(text_of(frame, "line"));
    });
    kinds[{line, kind->second}] += std::stoull(text_of(error, "leakedblocks"));
  });
  return kinds;
}

Kinds kinds_by_memprof(const fs::path& trace) {
  const Outcome outcome = analyze({"chunks", "--state", "open", "--domain", "cpu", trace.string()});
  REQUIRE(outcome.exit_status == 0);
  Kinds kinds;
  std::istringstream lines(outcome.out);
  for (std::string text; std::getline(lines, text);) {
    const auto chunk = nlohmann::json::parse(text);
    REQUIRE(chunk.contains("reach"));
    if (std::any_of(chunk["stack"].begin(), chunk["stack"].end(),
                    [](const nlohmann::json& frame) { return frame["function"] == kOfLibrary; }))
      continue;
    uint64_t line = 0;
    for (const auto& frame : chunk["stack"]) {
      const bool is_host = frame["file"].is_string() && fs::path(frame["file"]).filename() == "lost_and_held.cpp";
      if (line == 0 && is_host) line = frame["line"];
    }
    ++kinds[{line, chunk["reach"]}];
  }
  return kinds;
}

}  // namespace

TEST_CASE("memcheck says the same of every block of the cases", "[real][reachability]") {
  FreshDirectory directory;
  std::istringstream names(run({{host_path("lost_and_held")}, plain_environment(), directory.path(), "", {}}).out);
  size_t count = 0, leaking = 0;
  for (std::string name; std::getline(names, name); ++count) {
    INFO(name);
    const fs::path place = directory / name;
    fs::create_directory(place);
    const Outcome outcome =
        run_under_valgrind_and_memprof({host_path("lost_and_held"), name}, kMemcheck, {"MEMPROF_SNAPSHOT=exit"}, place);
    REQUIRE(outcome.exit_status == 0);
    CHECK(outcome.err == "");
    const Kinds expected = kinds_by_memcheck(place / "memcheck.xml");
    CHECK(describe(kinds_by_memprof(place / "trace.bin")) == describe(expected));
    leaking += std::any_of(expected.begin(), expected.end(), [](const auto& kind) {
      return kind.first.second == "definite" || kind.first.second == "possible";
    });
  }
  CHECK(count >= 70);
  CHECK(leaking >= 30);
}

TEST_CASE("memcheck counts the same of each kind in real programs", "[real][reachability]") {
  const auto [name, command] = GENERATE(table<std::string, std::vector<std::string>>({
      {"python3", {"/usr/bin/python3", "-S", "-c", "import json, re; print(json.dumps(list(range(100))))"}},
      {"perl", {"/usr/bin/perl", "-e", "my %h; $h{$_} = [1 .. 10] for 1 .. 200; print scalar keys %h"}},
      {"sqlite3", {"/usr/bin/sqlite3", ":memory:", "create table t(a); insert into t values(1); select * from t;"}},
      {"git", {"/usr/bin/git", "hash-object", "/etc/passwd"}},
  }));
  INFO(name);
  FreshDirectory directory;
  const Outcome outcome = run_under_valgrind_and_memprof(
      command, kMemcheck, {"MEMPROF_SNAPSHOT=exit", "PYTHONMALLOC=malloc", "PYTHONHASHSEED=0"}, directory.path());
  REQUIRE(outcome.exit_status == 0);
  const Kinds expected = kinds_by_memcheck(directory / "memcheck.xml");
  const Kinds found = kinds_by_memprof(directory / "trace.bin");
  INFO("memcheck\n" << describe(expected) << "memprof\n" << describe(found));
  const auto count = [](const Kinds& kinds, const char* kind) {
    const auto entry = kinds.find({0, kind});
    return entry == kinds.end() ? 0 : static_cast<int64_t>(entry->second);
  };
  for (const char* kind : {"definite", "indirect"}) CHECK(count(found, kind) == count(expected, kind));
  CHECK(count(found, "possible") + count(found, "reachable") ==
        count(expected, "possible") + count(expected, "reachable"));
  // memcheck knows which words were never written since they were allocated, and passes over what they hold. Addresses
  // change from run to run, and with them what an old word happens to point to.
  constexpr int64_t kByOldWords = 3;
  CHECK(std::abs(count(found, "possible") - count(expected, "possible")) <= kByOldWords);
  CHECK(count(expected, "reachable") > 0);
}
