// `check` on programs: what fails, what passes, and that equal runs are judged the same.
#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <map>
#include <set>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

// A program recorded for the gate, in a directory of its own.
class Recorded {
 public:
  explicit Recorded(const Words& command, const Words& settings = {}) {
    Words with = settings;
    with.insert(with.begin(), "MEMPROF_SNAPSHOT=exit");
    Words arguments = command;
    if (arguments[0].find('/') == std::string::npos) arguments[0] = host_path(arguments[0]);
    outcome_ = run({arguments, recording_environment(with), directory_.path(), "", {}});
  }

  const Outcome& outcome() const { return outcome_; }
  fs::path operator/(const std::string& name) const { return directory_ / name; }
  std::string trace() const { return directory_ / "trace.bin"; }
  // All that there are.
  Words traces() const {
    Words paths;
    for (const auto& entry : fs::directory_iterator(directory_.path()))
      if (entry.path().filename().string().starts_with("trace.")) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
  }

 private:
  FreshDirectory directory_;
  Outcome outcome_;
};

Recorded recorded_leaks(Words requests, const Words& settings = {}) {
  requests.insert(requests.begin(), "leaks_on_request");
  return Recorded(requests, settings);
}

Outcome check(Words arguments) {
  arguments.insert(arguments.begin(), "check");
  return analyze(arguments);
}
Outcome check(const Recorded& recorded, Words options = {}) {
  options.push_back(recorded.trace());
  return check(std::move(options));
}

Json verdict_of(Words arguments) {
  arguments.push_back("--json");
  const Outcome outcome = check(std::move(arguments));
  INFO(outcome.err);
  REQUIRE((outcome.exit_status == 0 || outcome.exit_status == 1));
  const Json verdict = Json::parse(outcome.out);
  CHECK(verdict.at("schema") == "memprof.check/1");
  CHECK(verdict.at("passed") == (outcome.exit_status == 0));
  return verdict;
}

// The innermost function of each that makes the gate fail.
std::multiset<std::string> failing_places(const Json& verdict) {
  std::multiset<std::string> places;
  for (const Json& finding : verdict.at("findings"))
    if (finding.at("fails")) places.insert(finding.at("names").at(0));
  return places;
}
using Places = std::multiset<std::string>;

const std::string kFirst = "(anonymous namespace)::first_leak", kSecond = "(anonymous namespace)::second_leak";

const Json& finding_at(const Json& verdict, const std::string& place) {
  for (const Json& finding : verdict.at("findings"))
    if (!finding.at("names").empty() && finding.at("names").at(0) == place) return finding;
  throw std::runtime_error("no finding at " + place);
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  return end == text.npos ? "" : text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
}

}  // namespace

TEST_CASE("the exit status tells passed, failed, bad usage and unreadable apart", "[hosts][check]") {
  const Recorded clean = recorded_leaks({"keep", "peak"}), leaking = recorded_leaks({"first"});
  const Outcome passed = check(clean), failed = check(leaking);
  CHECK(passed.exit_status == 0);
  CHECK_THAT(last_line(passed.out), Catch::Matchers::StartsWith("check: passed: "));
  CHECK(failed.exit_status == 1);
  CHECK_THAT(failed.out, Contains("first_leak"));
  CHECK(last_line(failed.out) == "check: FAILED: 1 leak (100 B in 1 block)");
  for (const Words& options : std::vector<Words>{{"--fail-on", "leaks"},
                                                 {"--fail-on", ""},
                                                 {"--max-peak", "much"},
                                                 {"--max-peak", ""},
                                                 {"--baseline", "/no/such/leaks.json"},
                                                 {"--suppressions", "/no/such/known.supp"},
                                                 {"--budget", "/no/such/budgets"},
                                                 {"--only-from", "!src"},
                                                 {"--junit", clean.trace()},
                                                 {"--no-such-option"}}) {
    INFO(options[0] << " " << options.back());
    const Outcome outcome = check(clean, options);
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.out == "");
    CHECK(outcome.err != "");
  }
  CHECK(check(Words{}).exit_status == 2);
  CHECK(check(Words{"/no/such/trace.bin"}).exit_status == 3);
  write_file(clean / "garbage", "this is no trace");
  CHECK(check(Words{clean / "garbage"}).exit_status == 3);
  CHECK(check(Words{clean.trace(), clean / "garbage"}).exit_status == 3);
  const Outcome no_place = check(clean, {"--junit", "/no/such/directory/out.xml"});
  CHECK(no_place.exit_status == 4);
  CHECK_THAT(no_place.err, Contains("/no/such/directory/out.xml"));
  const Outcome failed_too = check(leaking, {"--junit", "/no/such/directory/out.xml", "--write-baseline",
                                             "/no/such/leaks.json", "--sarif", leaking / "out.sarif"});
  CHECK(failed_too.exit_status == 4);
  CHECK_THAT(failed_too.err, Contains("/no/such/directory/out.xml") && Contains("/no/such/leaks.json"));
  CHECK(last_line(failed_too.out) == "check: FAILED: 1 leak (100 B in 1 block)");
  CHECK(fs::exists(leaking / "out.sarif"));
  CHECK_THAT(check(Words{"--help"}).out, Contains("4  an output file cannot be written"));
}

TEST_CASE("a leak turns the gate red, the baseline green, a second leak red again, and only that is named",
          "[hosts][check]") {
  const Recorded before = recorded_leaks({"first", "keep"}), after = recorded_leaks({"first", "second", "keep"}),
                 more = recorded_leaks({"first", "first", "keep"}), mended = recorded_leaks({"keep"});
  const std::string baseline = before / "leaks.json";
  CHECK(check(before).exit_status == 1);
  const Outcome first = check(before, {"--write-baseline", baseline});
  CHECK(first.exit_status == 0);
  CHECK_THAT(first.out, Contains("so this time it passes"));
  const Outcome green = check(before, {"--baseline", baseline});
  CHECK(green.exit_status == 0);
  CHECK_THAT(green.out, Contains("1 known"));

  const Json red = verdict_of({"--baseline", baseline, after.trace()});
  CHECK(failing_places(red) == Places{kSecond});
  CHECK(finding_at(red, kSecond).at("status") == "new");
  CHECK(finding_at(red, kFirst).at("status") == "known");
  const Outcome told = check(after, {"--baseline", baseline});
  CHECK(told.exit_status == 1);
  CHECK_THAT(told.out, Contains("second_leak") && !Contains("first_leak"));

  const Json grown = verdict_of({"--baseline", baseline, more.trace()});
  CHECK(failing_places(grown) == Places{kFirst});
  CHECK(finding_at(grown, kFirst).at("status") == "grown");
  CHECK(finding_at(grown, kFirst).at("baseline").at("bytes") == 100);

  const Json fixed = verdict_of({"--baseline", baseline, mended.trace()});
  CHECK(fixed.at("passed") == true);
  CHECK(finding_at(fixed, kFirst).at("status") == "fixed");

  // The baseline follows: what is gone comes back as new.
  CHECK(check(mended, {"--baseline", baseline, "--write-baseline", baseline}).exit_status == 0);
  CHECK(check(before, {"--baseline", baseline}).exit_status == 1);
}

TEST_CASE("a baseline is written of what was seen wholly only, and lets nothing else pass", "[hosts][check]") {
  const Recorded leaking = recorded_leaks({"first", "peak"});
  const std::string baseline = leaking / "leaks.json";
  CHECK(check(leaking, {"--write-baseline", baseline, "--max-peak", "1K"}).exit_status == 1);
  CHECK(fs::exists(baseline));
  const Outcome written = check(leaking, {"--write-baseline", baseline, "--max-leaked-bytes", "10"});
  CHECK(written.exit_status == 0);
  const Recorded dead = recorded_leaks({"first", "die"});
  CHECK(check(dead, {"--write-baseline", dead / "leaks.json"}).exit_status == 1);
  CHECK_FALSE(fs::exists(dead / "leaks.json"));
}

TEST_CASE("the same in a real program: a block that python3 loses on purpose", "[hosts][check]") {
  const std::string lose = "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n";
  const auto python = [&](const std::string& rest) {
    return Recorded({"/usr/bin/python3", "-S", "-c", lose + rest}, {"PYTHONMALLOC=malloc"});
  };
  if (!fs::exists("/usr/bin/python3")) return skip("there is no python3");
  // Another function is another place: malloc and calloc of the C library are called from one in libffi.
  const Recorded clean = python("libc.free(libc.malloc(12345))\n"), leaking = python("libc.malloc(12345)\n"),
                 more = python("libc.malloc(12345)\nlibc.strdup(b'x' * 4000)\n");
  REQUIRE(clean.outcome().exit_status == 0);
  const std::string baseline = clean / "leaks.json", with_leak = leaking / "leaks.json";
  // Whatever python3 itself loses is known.
  REQUIRE(check(clean, {"--write-baseline", baseline}).exit_status == 0);
  CHECK(check(clean, {"--baseline", baseline}).exit_status == 0);
  const Json red = verdict_of({"--baseline", baseline, leaking.trace()});
  REQUIRE(failing_places(red).size() == 1);
  CHECK(red.at("findings").at(0).at("bytes") == 12345);
  REQUIRE(check(leaking, {"--write-baseline", with_leak}).exit_status == 0);
  CHECK(check(leaking, {"--baseline", with_leak}).exit_status == 0);
  const Json second = verdict_of({"--baseline", with_leak, more.trace()});
  REQUIRE(failing_places(second).size() == 1);
  CHECK(second.at("findings").at(0).at("fails") == true);
  CHECK(second.at("findings").at(0).at("bytes") == 4001);
}

TEST_CASE("parent and children are judged together", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first", "fork", "grandchild"});
  const Words traces = recorded.traces();
  REQUIRE(traces.size() == 4);
  const Json verdict = verdict_of(traces);
  CHECK(verdict.at("traces").size() == 4);
  CHECK(verdict.at("unseen").empty());
  CHECK(failing_places(verdict) ==
        Places{kFirst, "(anonymous namespace)::leak_in_child", "(anonymous namespace)::leak_in_child"});
  uint64_t chunks = 0;
  for (const Json& finding : verdict.at("findings"))
    if (finding.at("names").at(0) == "(anonymous namespace)::leak_in_child")
      chunks += finding.at("chunks").get<uint64_t>();
  CHECK(chunks == 3);
  // What the parent lost is the parent's alone.
  CHECK(finding_at(verdict, kFirst).at("chunks") == 1);
  CHECK(finding_at(verdict, kFirst).at("traces").size() == 1);

  std::string child;
  for (const std::string& trace : traces)
    if (Trace(trace).summary().at("trace").at("pid") != Trace(recorded.trace()).pid()) child = trace;
  CHECK(check(Words{child}).exit_status == 1);
  fs::remove(recorded.trace());
  const Outcome orphan = check(Words{child});
  CHECK(orphan.exit_status == 1);
  CHECK_THAT(orphan.out, Contains("not classified: the trace of the process that forked it"));
  CHECK(check(Words{"--allow-unclassified", child}).exit_status == 0);
}

TEST_CASE("what a process inherited and lost is its leak, once however many lost it", "[hosts][check]") {
  const std::string place = "(anonymous namespace)::allocate_for_parent";
  const Recorded recorded = recorded_leaks({"inherit"});
  const Words traces = recorded.traces();
  REQUIRE(traces.size() == 3);
  CHECK(verdict_of({recorded.trace()}).at("passed") == true);
  const Json verdict = verdict_of(traces);
  CHECK(failing_places(verdict) == Places{place});
  CHECK(finding_at(verdict, place).at("chunks") == 1);
  CHECK(finding_at(verdict, place).at("bytes") == 700);
  CHECK(finding_at(verdict, place).at("stack").at(0).at("line") != nullptr);
  for (const std::string& trace : traces)
    if (trace != recorded.trace()) CHECK(failing_places(verdict_of({trace})) == Places{place});
}

TEST_CASE("a trace that is given twice is judged once, and that is told", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first"});
  const std::string copy = recorded / "copy.bin", packed = recorded / "packed.bin";
  fs::copy_file(recorded.trace(), copy);
  REQUIRE(analyze({"compress", recorded.trace(), "-o", packed}).exit_status == 0);
  for (const std::string& again : {recorded.trace(), copy, packed}) {
    const Outcome outcome = check({recorded.trace(), again});
    CHECK_THAT(outcome.out, Contains("note: " + again + " is the same recording as " + recorded.trace()));
    CHECK(last_line(outcome.out) == "check: FAILED: 1 leak (100 B in 1 block)");
  }
  const Json verdict = verdict_of({recorded.trace(), copy});
  CHECK(verdict.at("notes").size() == 1);
  CHECK(verdict.at("traces").size() == 1);
  CHECK(verdict_of({recorded.trace()}).at("notes").empty());
  const Recorded other = recorded_leaks({"first"});
  CHECK(verdict_of({recorded.trace(), other.trace()}).at("traces").size() == 2);
}

TEST_CASE("a program that was killed fails unless it may be", "[hosts][check]") {
  const Recorded dead = recorded_leaks({"keep", "die"});
  REQUIRE(dead.outcome().signal == SIGKILL);
  const Outcome outcome = check(dead);
  CHECK(outcome.exit_status == 1);
  CHECK_THAT(outcome.out, Contains("--allow-incomplete") && Contains("--allow-unclassified"));
  CHECK(check(dead, {"--allow-incomplete"}).exit_status == 1);
  CHECK(check(dead, {"--allow-unclassified"}).exit_status == 1);
  CHECK(check(dead, {"--allow-incomplete", "--allow-unclassified"}).exit_status == 0);
  CHECK(check(dead, {"--allow-incomplete", "--fail-on", "mismatched-free"}).exit_status == 0);
}

TEST_CASE("a program whose events were dropped fails unless it may be", "[hosts][check]") {
  const Recorded dropping = recorded_leaks({"keep", "much"}, {"MEMPROF_LIMIT=96K"});
  REQUIRE(Trace(dropping.trace()).dropped() > 0);
  const Outcome outcome = check(dropping);
  CHECK(outcome.exit_status == 1);
  CHECK_THAT(outcome.out, Contains("--allow-dropped"));
  CHECK(check(dropping, {"--allow-dropped", "--fail-on", "none"}).exit_status == 0);
  CHECK(check(dropping, {"--allow-dropped"}).exit_status == 1);
  CHECK(check(dropping, {"--allow-dropped", "--allow-unclassified"}).exit_status == 0);
}

TEST_CASE("a program without a snapshot fails unless it may be, and mismatched frees need none", "[hosts][check]") {
  const Recorded blind = recorded_leaks({"first"}, {"MEMPROF_SNAPSHOT=never"});
  const Outcome outcome = check(blind);
  CHECK(outcome.exit_status == 1);
  CHECK_THAT(outcome.out,
             Contains("not classified: no snapshot of the memory was recorded (MEMPROF_SNAPSHOT=exit takes one)"));
  CHECK(check(blind, {"--allow-unclassified"}).exit_status == 0);
  CHECK(check(blind, {"--fail-on", "mismatched-free,double-free"}).exit_status == 0);
  const Recorded wrong = recorded_leaks({"mismatch"}, {"MEMPROF_SNAPSHOT=never"});
  const Json verdict = verdict_of({"--fail-on", "mismatched-free", wrong.trace()});
  CHECK(failing_places(verdict) == Places{"(anonymous namespace)::mismatch"});
  CHECK(verdict.at("findings").at(0).at("allocator") == "new[]");
  CHECK(verdict.at("findings").at(0).at("free_function") == "free");
}

TEST_CASE("what is allocated after a snapshot in the middle of the run is not judged, and fails unless it may be",
          "[hosts][check]") {
  const Recorded recorded({"takes_snapshots", "points", "call"}, {"MEMPROF_SNAPSHOT=never"});
  Words options = {"--max-leaked-bytes", "2000"};
  const Outcome outcome = check(recorded, options);
  CHECK(outcome.exit_status == 1);
  CHECK_THAT(outcome.out, Contains("not judged: 2.93 KiB in 1 block allocated after the last snapshot"));
  options.push_back("--allow-incomplete");
  const Outcome allowed = check(recorded, options);
  CHECK(allowed.exit_status == 0);
  CHECK_THAT(allowed.out, Contains("allocated after it and not freed: 2.93 KiB in 1 block"));
}

TEST_CASE("each kind fails when it is asked for", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"with_child", "middle", "keep"});
  const auto places = [&](const std::string& kinds) {
    return failing_places(verdict_of({"--fail-on", kinds, recorded.trace()}));
  };
  CHECK(places("definite") == Places{"(anonymous namespace)::leak_with_child"});
  CHECK(places("indirect") == Places{"(anonymous namespace)::leak_with_child"});
  CHECK(places("possible") == Places{"(anonymous namespace)::keep_middle"});
  CHECK(places("none") == Places{});
  const Json verdict = verdict_of({recorded.trace()});
  CHECK(verdict.at("findings").at(0).at("bytes") == 64);
  CHECK(verdict.at("findings").at(0).at("indirect").at("bytes") == 32);
}

TEST_CASE("reachable blocks fail when they grow beyond the baseline", "[hosts][check]") {
  const Recorded before = recorded_leaks({"keep"}), after = recorded_leaks({"keep", "keep"});
  const std::string baseline = before / "leaks.json";
  const Words growth = {"--fail-on", "reachable-growth"};
  REQUIRE(check(before, {"--fail-on", "reachable-growth", "--write-baseline", baseline}).exit_status == 0);
  CHECK(check(before, {"--fail-on", "reachable-growth", "--baseline", baseline}).exit_status == 0);
  const Json verdict = verdict_of({"--fail-on", "reachable-growth", "--baseline", baseline, after.trace()});
  CHECK(failing_places(verdict) == Places{"(anonymous namespace)::keep"});
  CHECK(check(after, growth).exit_status == 2);
}

TEST_CASE("limits and budgets hold up to their number", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first", "first", "second", "peak"});
  const auto status = [&](const Words& options) { return check(recorded, options).exit_status; };
  CHECK(status({"--max-leaked-bytes", "400"}) == 0);
  CHECK(status({"--max-leaked-bytes", "399"}) == 1);
  CHECK(status({"--max-leaked-blocks", "3"}) == 0);
  CHECK(status({"--max-leaked-blocks", "2"}) == 1);
  CHECK(status({"--max-site-leaked-blocks", "2"}) == 0);
  CHECK(status({"--max-site-leaked-blocks", "1"}) == 1);
  CHECK(status({"--fail-on", "none", "--max-peak", "1M"}) == 0);
  CHECK(status({"--fail-on", "none", "--max-peak", "100000"}) == 1);
  const std::string budget = recorded / "budget";
  const auto with_budget = [&](const std::string& text) {
    write_file(budget, text);
    return check(recorded, {"--fail-on", "none", "--budget", budget});
  };
  CHECK(with_budget("function first_leak bytes=200 blocks=2 allocations=2\nmodule leaks_on_request peak=1M\n")
            .exit_status == 0);
  const Outcome broken = with_budget("function *_leak bytes=399\n");
  CHECK(broken.exit_status == 1);
  CHECK_THAT(broken.out, Contains("*_leak"));
  CHECK(with_budget("function use_and_free peak=99999\n").exit_status == 1);
  CHECK(with_budget("function use_and_free peak=100000 bytes=0 blocks=0\n").exit_status == 0);
  CHECK(with_budget("function main allocations=3\n").exit_status == 1);
  CHECK(with_budget("module leaks_on_request allocations=3\n").exit_status == 1);
}

TEST_CASE("only what comes from the named sources and modules counts", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first"});
  const auto status = [&](const Words& options) { return check(recorded, options).exit_status; };
  const std::string source = paths::kSource;
  CHECK(status({"--only-from", source}) == 1);
  CHECK(status({"--only-from", source + "/tests/hosts"}) == 1);
  CHECK(status({"--only-from", "tests/hosts"}) == 1);
  CHECK(status({"--only-from", "leaks_on_*.cpp"}) == 1);
  CHECK(status({"--only-from", "leaks_on_request"}) == 1);
  CHECK(status({"--ignore-module", "leaks_on_request"}) == 0);
  CHECK(status({"--ignore-module", "libother.so"}) == 1);
  // What there is not.
  for (const std::string& wrong : {source + "/analyzer", std::string("libother.so"), std::string("tests/hots")}) {
    const Outcome outcome = check(recorded, {"--only-from", wrong});
    CHECK(outcome.exit_status == 1);
    CHECK_THAT(outcome.out, Contains("--only-from " + wrong + ": no stack goes through it, so 1 finding is left out"));
    CHECK(status({"--only-from", wrong, "--only-from", "tests/hosts"}) == 1);
    CHECK(status({"--only-from", wrong, "--allow-unmatched"}) == 0);
    CHECK(status({"--only-from", wrong, "--fail-on", "none"}) == 0);
  }
  const Recorded clean = recorded_leaks({"peak"});
  CHECK(check(clean, {"--only-from", "tests/hots"}).exit_status == 0);
  const std::string program = recorded / "no_lines";
  const std::string host_source = source + "/tests/hosts/leaks_on_request.cpp";
  REQUIRE(run({{"c++", "-O1", "-o", program, host_source}, plain_environment(), "/", "", {}}).exit_status == 0);
  const Recorded without_lines({program, "first"});
  CHECK_THAT(check(without_lines, {"--only-from", "tests/hosts"}).out,
             Contains("or built without -g? There are no source lines in no_lines (--allow-unmatched lets it pass)"));
}

TEST_CASE("leaks of others do not fail where the project's own code ran without one", "[hosts][check]") {
  const Recorded own = recorded_leaks({"peak"}), other({"places_o0", "lost"});
  CHECK(check({"--only-from", "leaks_on_request.cpp", other.trace()}).exit_status == 1);
  CHECK(check({"--only-from", "leaks_on_request.cpp", other.trace(), own.trace()}).exit_status == 0);
}

TEST_CASE("suppressions take findings, and stale ones are told and may fail", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first"});
  const std::string lsan = recorded / "lsan.supp", valgrind = recorded / "known.supp";
  write_file(lsan, "leak:first_leak\nleak:nowhere_at_all\n");
  write_file(valgrind, "{\n   ours\n   Memcheck:Leak\n   fun:malloc\n   fun:*first_leak*\n}\n");
  CHECK(check(recorded, {"--suppressions", valgrind}).exit_status == 0);
  CHECK(check(recorded, {"--suppressions", valgrind, "--fail-on-stale"}).exit_status == 0);
  const Outcome stale = check(recorded, {"--suppressions", lsan});
  CHECK(stale.exit_status == 0);
  CHECK_THAT(stale.out, Contains("nowhere_at_all"));
  CHECK(check(recorded, {"--suppressions", lsan, "--fail-on-stale"}).exit_status == 1);
  const Json verdict = verdict_of({"--suppressions", lsan, "--suppressions", valgrind, recorded.trace()});
  REQUIRE(verdict.at("suppressions").size() >= 3);  // the user's come first
  CHECK(verdict.at("suppressions").at(0).at("findings") == 1);
  CHECK(verdict.at("suppressions").at(0).at("bytes") == 100);
  CHECK(verdict.at("suppressions").at(1).at("stale") == true);
  write_file(lsan, "leak\n");
  const Outcome malformed = check(recorded, {"--suppressions", lsan});
  CHECK(malformed.exit_status == 2);
  CHECK_THAT(malformed.err, Contains("lsan.supp:1"));
}

TEST_CASE("written suppressions suppress what was found, and nothing else", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first", "with_child"}),
                 more = recorded_leaks({"first", "second", "with_child"});
  const std::string file = recorded / "written.supp";
  CHECK(check(recorded, {"--write-suppressions", file}).exit_status == 1);
  CHECK(check(recorded, {"--suppressions", file}).exit_status == 0);
  CHECK(failing_places(verdict_of({"--suppressions", file, more.trace()})) == Places{kSecond});
}

TEST_CASE("all outputs come of one run", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first", "mismatch"});
  Words options = {"--github"};
  const Words outputs = {"--junit",    "--sarif",          "--memcheck-xml",
                         "--markdown", "--write-baseline", "--write-suppressions"};
  for (const std::string& output : outputs) options.insert(options.end(), {output, recorded / output.substr(2)});
  const Outcome outcome = check(recorded, options);
  INFO(outcome.err);
  CHECK(outcome.exit_status == 0);  // the baseline was asked for
  CHECK_THAT(outcome.out, Contains("::error"));
  for (const std::string& output : outputs) {
    INFO(output);
    CHECK_THAT(read_file(recorded / output.substr(2)), Contains("first_leak"));
  }
  const Json sarif = Json::parse(read_file(recorded / "sarif"));
  CHECK(sarif.at("runs").at(0).at("results").size() >= 2);
}

namespace {

// Of the program's own places.
std::map<std::string, Json> places_of(const Json& verdict) {
  std::map<std::string, Json> places;
  for (const Json& finding : verdict.at("findings"))
    if (finding.at("names").at(0) != "(libstdc++.so)") places[finding.at("fingerprint")] = finding;
  return places;
}

}  // namespace

TEST_CASE("a baseline outlives a rebuild with other flags, lines, file name, inlining and compiler", "[hosts][check]") {
  const Recorded reference({"places_o0", "lost"});
  const std::string baseline = reference / "leaks.json";
  REQUIRE(check(reference, {"--write-baseline", baseline}).exit_status == 0);
  std::set<std::string> known;
  const Json written = Json::parse(read_file(baseline));
  for (const Json& finding : written.at("findings")) known.insert(finding.at("fingerprint"));
  CHECK(known.size() >= 13);
  size_t builds = 0;
  for (const char* name : {"places_o0", "places_o2", "places_o3_renamed", "places_gxx_o0", "places_gxx",
                           "places_gxx_o3", "places_gxx_o3_renamed", "places_clangxx_o0", "places_clangxx",
                           "places_clangxx_o3", "places_clangxx_o3_renamed"}) {
    if (!fs::exists(host_path(name))) continue;
    INFO(name);
    ++builds;
    const Recorded rebuilt({name, "lost"});
    const Outcome outcome = check(rebuilt, {"--baseline", baseline});
    INFO(outcome.out);
    CHECK(outcome.exit_status == 0);
    const Json verdict = verdict_of({"--baseline", baseline, rebuilt.trace()});
    size_t lost = 0;
    for (const auto& [fingerprint, finding] : places_of(verdict)) {
      if (finding.at("kind") != "definite") continue;
      ++lost;
      INFO(finding.at("names").dump());
      CHECK(finding.at("status") == "known");
      // No build needs the weak match: each has the very fingerprints.
      CHECK(known.contains(fingerprint));
    }
    CHECK(lost == known.size());
  }
  CHECK(builds >= 7);
}

TEST_CASE("files for machines do not tell of kinds that do not fail, the report does", "[hosts][check]") {
  const Recorded recorded = recorded_leaks({"first", "keep", "middle"});
  const Outcome outcome = check(
      recorded, {"--sarif", recorded / "sarif", "--junit", recorded / "junit", "--markdown", recorded / "markdown"});
  CHECK_THAT(outcome.out, Contains("  possible ") && Contains("  reachable "));
  const Json sarif = Json::parse(read_file(recorded / "sarif"));
  CHECK(sarif.at("runs").at(0).at("results").size() == 1);
  for (const char* file : {"junit", "markdown"}) {
    CHECK_THAT(read_file(recorded / file), Contains("first_leak"));
    for (const char* word : {"reachable", "possible", "keep"}) CHECK_THAT(read_file(recorded / file), !Contains(word));
  }
}

TEST_CASE("a hundred equal runs have a hundred equal verdicts", "[hosts][check]") {
  FreshDirectory directory;
  std::map<std::string, std::set<std::string>> texts;  // by output
  for (int i = 0; i < 100; ++i) {
    const fs::path trace = directory / "trace.bin";
    fs::remove(trace);
    run({{host_path("lost_and_held"), "containers_lost"},
         recording_environment({"MEMPROF_SNAPSHOT=exit"}),
         directory.path(),
         "",
         {}});
    const Outcome outcome =
        analyze({"check", "--json", "--fail-on", "definite,indirect,possible", "--sarif", directory / "out.sarif",
                 "--junit", directory / "out.xml", "--markdown", directory / "out.md", trace.string()});
    REQUIRE(outcome.exit_status == 1);
    for (const char* file : {"out.sarif", "out.xml", "out.md"}) texts[file].insert(read_file(directory / file));
    Json verdict = Json::parse(outcome.out);
    for (Json& judged : verdict.at("traces"))
      for (const char* key : {"pid", "parent_pid", "duration_ns"}) judged[key] = nullptr;
    texts["json"].insert(verdict.dump());
  }
  for (const auto& [output, different] : texts) {
    INFO(output);
    CHECK(different.size() == 1);
    CHECK(different.begin()->size() > 100);
  }
}

namespace {

Outcome run_gate(const FreshDirectory& directory, Words arguments) {
  arguments.insert(arguments.begin(),
                   {std::string(paths::kSource) + "/scripts/memprof", "--check", "--build-dir", paths::kBuild});
  return run({arguments, plain_environment(), directory.path(), "", {}});
}

}  // namespace

TEST_CASE("one line judges a command and all processes that it starts", "[hosts][check][script]") {
  FreshDirectory clean, leaking, child;
  const std::string host = host_path("leaks_on_request");
  const Outcome passed = run_gate(clean, {"--", host, "keep"});
  INFO(passed.err);
  CHECK(passed.exit_status == 0);
  CHECK(passed.out == "");
  CHECK_THAT(passed.err, Contains("passed: "));
  const Outcome failed = run_gate(leaking, {"--", host, "first"});
  CHECK(failed.exit_status == 1);
  CHECK_THAT(failed.err, Contains("first_leak"));
  const Outcome of_child = run_gate(child, {"--", host, "fork"});
  CHECK(of_child.exit_status == 1);
  CHECK_THAT(of_child.err, Contains("leak_in_child"));
}

TEST_CASE("a shell that forks and then becomes another program is judged with what it forked",
          "[hosts][check][script]") {
  FreshDirectory clean, leaking, numbered;
  const std::string host = host_path("leaks_on_request");
  const std::string script = "x=$(echo hi); exec " + host + " ";
  const Outcome passed = run_gate(clean, {"--", "sh", "-c", script + "keep"});
  INFO(passed.err);
  CHECK(passed.exit_status == 0);
  CHECK(run_gate(leaking, {"--", "sh", "-c", script + "first"}).exit_status == 1);
  CHECK(run_gate(numbered, {"-o", "t-%p.bin", "--", "sh", "-c", script + "keep"}).exit_status == 0);
}

TEST_CASE("options behind --check are the gate's, those of the recording stay", "[hosts][check][script]") {
  const std::string host = host_path("leaks_on_request");
  FreshDirectory directory;
  CHECK(run_gate(directory, {"--max-leaked-bytes", "100", "-o", "mine.bin", "--", host, "first"}).exit_status == 0);
  CHECK(fs::exists(directory / "mine.bin"));
  FreshDirectory other;
  write_file(other / "known.supp", "leak:first_leak\n");
  CHECK(run_gate(other, {"--suppressions=known.supp", "--junit", "out.xml", "--", host, "first"}).exit_status == 0);
  CHECK(fs::exists(other / "out.xml"));
}

TEST_CASE("a command's own failure wins over the gate's", "[hosts][check][script]") {
  const std::string host = host_path("leaks_on_request");
  FreshDirectory directory, killed;
  const Outcome failed = run_gate(directory, {"--", host, "first", "fail"});
  CHECK(failed.exit_status == 3);
  CHECK_THAT(failed.err, Contains("the command failed by itself with status 3"));
  CHECK(run_gate(killed, {"--", host, "die"}).exit_status == 128 + SIGKILL);
}

TEST_CASE("what records nothing does not pass", "[hosts][check][script]") {
  const std::string host = host_path("leaks_on_request");
  FreshDirectory directory;
  // env is recorded, up to its exec, and what comes behind that is not.
  for (const Words& command :
       std::vector<Words>{{"env", "-i", host, "first"}, {"sh", "-c", "exec env -i " + host + " first"}}) {
    Words arguments = {"--"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const Outcome outcome = run_gate(directory, arguments);
    INFO(outcome.err);
    CHECK(outcome.exit_status == 1);
    CHECK_THAT(outcome.err, Contains("env (process ") && Contains(") became " + host + ", which was not recorded"));
  }
  CHECK(run_gate(directory, {"--", "sh", "-c", "exec " + host + " keep"}).exit_status == 0);

  FreshDirectory unrecorded;
  write_file(unrecorded / "static.c", "int main(void) { return 0; }\n");
  const Outcome built =
      run({{"cc", "-static", "-o", "static", "static.c"}, plain_environment(), unrecorded.path(), "", {}});
  if (built.exit_status != 0) return skip("no static program can be made here");
  const Outcome nothing = run_gate(unrecorded, {"--", "./static"});
  CHECK(nothing.exit_status == 1);
  CHECK_THAT(nothing.err, Contains("nothing was recorded, so the check fails"));
}

namespace {

const std::string kUnrecorded = " was not recorded: static, set-user-ID or without LD_PRELOAD";

// The programs that left no trace, as the verdict's JSON has them.
Words unrecorded_programs(const Words& arguments) {
  Words programs;
  const Json verdict = verdict_of(arguments);
  for (const Json& program : verdict.at("unrecorded")) programs.push_back(program.at("program"));
  return programs;
}

}  // namespace

TEST_CASE("a program that is started and cannot be recorded does not pass", "[hosts][check][script]") {
  const std::string program = host_path("static_program"), starter = host_path("starts_programs");
  for (const char* how : {"vfork", "posix_spawn", "fork"}) {
    INFO(how);
    FreshDirectory directory;
    const Words command = {"--", starter, how, program, "x"};
    const Outcome failed = run_gate(directory, command);
    INFO(failed.err);
    CHECK(failed.exit_status == 1);
    CHECK_THAT(failed.err, Contains(std::string(how) == "fork" ? "became " + program + ", which" + kUnrecorded
                                                               : program + " (process "));
    CHECK_THAT(failed.err, Contains(kUnrecorded + " (--allow-unrecorded static_program lets it pass)"));
    for (const std::string pattern : {"static_program", "static*", "*"}) {
      Words allowed = command;
      allowed.insert(allowed.begin(), {"--allow-unrecorded", pattern});
      CHECK(run_gate(directory, allowed).exit_status == 0);
    }
    Words other = command;
    other.insert(other.begin(), {"--allow-unrecorded", "dynamic*"});
    CHECK(run_gate(directory, other).exit_status == 1);
  }
}

TEST_CASE("a program whose environment lacks the library does not pass, and one that has it does",
          "[hosts][check][script]") {
  const std::string host = host_path("leaks_on_request");
  FreshDirectory directory;
  for (const std::string& line :
       std::vector<std::string>{"LD_PRELOAD= " + host + " keep; :", "env -i " + host + " keep; :",
                                "env -u LD_PRELOAD " + host + " keep; :"}) {
    INFO(line);
    const Outcome outcome = run_gate(directory, {"--", "/bin/sh", "-c", line});
    CHECK(outcome.exit_status == 1);
    CHECK_THAT(outcome.err, Contains(host) && Contains(kUnrecorded));
  }
  for (const char* how : {"vfork", "posix_spawn", "fork", "system", "popen"}) {
    INFO(how);
    const Outcome outcome = run_gate(directory, {"--", host_path("starts_programs"), how, host, "keep"});
    INFO(outcome.err);
    CHECK(outcome.exit_status == 0);
  }
}

TEST_CASE("a command that is not recorded does not pass by what it starts", "[hosts][check][script]") {
  const std::string host = host_path("leaks_on_request");
  FreshDirectory directory;
  write_file(directory / "starter.c",
             "#include <sys/wait.h>\n#include <unistd.h>\nint main(int count, char** arguments) {\n"
             "  (void)count;\n  if (fork() == 0) return execv(arguments[1], arguments + 1);\n"
             "  return wait(0) < 0;\n}\n");
  const Outcome built =
      run({{"cc", "-static", "-o", "starter", "starter.c"}, plain_environment(), directory.path(), "", {}});
  if (built.exit_status != 0) return skip("no static program can be made here");
  const Outcome failed = run_gate(directory, {"--", "./starter", host, "keep"});
  INFO(failed.err);
  CHECK(failed.exit_status == 1);
  CHECK_THAT(failed.err, Contains("./starter (process ") && Contains(", started by the command line)" + kUnrecorded));
  CHECK(run_gate(directory, {"--allow-unrecorded", "starter", "--", "./starter", host, "keep"}).exit_status == 0);
}

TEST_CASE("an exec that fails leaves nothing that would make the gate fail, and its errno", "[hosts][check][script]") {
  FreshDirectory directory;
  const Outcome native = run({{host_path("fails_to_exec")}, plain_environment(), directory.path(), "", {}});
  const Outcome outcome = run_gate(directory, {"--", host_path("fails_to_exec")});
  INFO(outcome.err);
  CHECK(native.exit_status == 0);
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.out == native.out);
}

TEST_CASE("a trace that is not given is no program without one, as long as it lies beside", "[hosts][check]") {
  for (const char* how : {"vfork", "posix_spawn", "fork"}) {
    INFO(how);
    const Recorded recorded({"starts_programs", how, host_path("malloc_family"), "x"});
    CHECK(unrecorded_programs({recorded.trace()}).empty());
    FreshDirectory apart;
    for (const std::string& path : recorded.traces()) {
      const std::string copy = apart / fs::path(path).filename();
      fs::copy_file(path, copy);
      const Words programs = unrecorded_programs({copy});
      // Who starts it tells: the program itself in vfork and posix_spawn, its forked child in fork.
      const bool is_starter = path == recorded.trace() ? how != std::string("fork") : path.ends_with(".1.bin");
      CHECK(programs == (is_starter ? Words{host_path("malloc_family")} : Words{}));
      fs::remove(copy);
    }
    CHECK(unrecorded_programs(recorded.traces()).empty());
  }
}

TEST_CASE("two runs at once in one directory judge their own processes alone", "[hosts][check][script]") {
  const std::string host = host_path("leaks_on_request");
  FreshDirectory directory;
  Process clean({{std::string(paths::kSource) + "/scripts/memprof", "--check", "--build-dir", paths::kBuild, "--",
                  "/bin/sh", "-c", "echo begun; read line; exec " + host + " keep"},
                 plain_environment(),
                 directory.path(),
                 "",
                 {}});
  REQUIRE(clean.wait_for_output("begun\n"));
  const Outcome leaking = run_gate(directory, {"--", "/bin/sh", "-c", host + " first; :"});
  CHECK(leaking.exit_status == 1);
  CHECK_THAT(leaking.err, Contains("first_leak"));
  clean.write_input("go on\n");
  const Outcome passed = clean.finish();
  INFO(passed.err);
  CHECK(passed.exit_status == 0);
}

TEST_CASE("options of the gate that are wrong end the one line before the command runs", "[hosts][check][script]") {
  FreshDirectory directory;
  for (const Words& options : std::vector<Words>{{"--fail-on", "leaks"},
                                                 {"--max-peak", "much"},
                                                 {"--suppressions", "/no/such/known.supp"},
                                                 {"--baseline", "/no/such/leaks.json"},
                                                 {"--no-such-option"}}) {
    INFO(options[0]);
    Words arguments = options;
    arguments.insert(arguments.end(), {"--", "touch", "it-ran"});
    const Outcome outcome = run_gate(directory, arguments);
    CHECK(outcome.exit_status == 2);
    CHECK_FALSE(outcome.err.empty());
    CHECK_FALSE(fs::exists(directory / "it-ran"));
  }
}

TEST_CASE("bad use of the one line ends with 2", "[hosts][check][script]") {
  FreshDirectory directory;
  const std::string host = host_path("leaks_on_request");
  CHECK(run_gate(directory, {host, "first"}).exit_status == 2);  // where does the command begin?
  CHECK(run_gate(directory, {"--"}).exit_status == 2);
  const Outcome unknown = run_gate(directory, {"--no-such-option", "--", host, "keep"});
  CHECK(unknown.exit_status == 2);
  CHECK_THAT(unknown.err, Contains("--no-such-option"));
  const Outcome help = run({{std::string(paths::kSource) + "/scripts/memprof", "--check", "--help"},
                            plain_environment(),
                            directory.path(),
                            "",
                            {}});
  CHECK(help.exit_status == 0);
  CHECK_THAT(help.out, Contains("--check") && Contains("standard error"));
}
