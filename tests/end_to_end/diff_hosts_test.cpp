// One program in several builds has the same fingerprints; two runs with a known difference differ in just that.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "host.h"

using namespace memprof::tests;

namespace {

Json diff_of(const std::vector<std::string>& traces, const std::vector<std::string>& options = {}) {
  std::vector<std::string> arguments = {"diff", "--json"};
  arguments.insert(arguments.end(), traces.begin(), traces.end());
  arguments.insert(arguments.end(), options.begin(), options.end());
  const Outcome outcome = analyze(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.exit_status == 0);
  return Json::parse(outcome.out);
}

// The emergency pool of libstdc++ is not the program's.
bool is_of_program(const Json& site) { return site.at("names").at(0) != "(libstdc++.so)"; }

void check_same(const std::string& old_trace, const std::string& new_trace) {
  const Json diff = diff_of({old_trace, new_trace});
  size_t places = 0;
  for (const Json& site : diff.at("sites")) {
    if (!is_of_program(site)) continue;
    ++places;
    INFO(site.at("names").dump());
    CHECK(site.at("status") == "same");
    CHECK(site.at("match") == "exact");
  }
  CHECK(places >= 14);
}

}  // namespace

TEST_CASE("rebuilt with other flags, lines, file name, inlining or compiler, all places are the same", "[diff]") {
  const HostRun reference({"places_o0"});
  size_t builds = 0;
  for (const char* name : {"places_o2", "places_o3_renamed", "places_gxx", "places_clangxx"}) {
    if (!std::filesystem::exists(host_path(name))) continue;
    CAPTURE(name);
    ++builds;
    const HostRun run({name});
    check_same(reference.directory() / "trace.bin", run.directory() / "trace.bin");
  }
  CHECK(builds >= 2);
}

TEST_CASE("a diff names the place that is new, the one that is gone and the one that grew", "[diff]") {
  const HostRun before({"places_o2"}), after({"places_o2", "changed"});
  const std::vector<std::string> traces = {before.directory() / "trace.bin", after.directory() / "trace.bin"};
  const Json diff = diff_of(traces);
  std::map<std::string, Json> changed;
  for (const Json& site : diff.at("sites"))
    if (is_of_program(site) && site.at("status") != "same") changed[site.at("names").at(0)] = site;
  REQUIRE(changed.size() == 3);
  CHECK(changed.at("appears").at("status") == "new");
  CHECK(changed.at("appears").at("new").at("bytes") == 6001);
  CHECK(changed.at("disappears").at("status") == "gone");
  CHECK(changed.at("disappears").at("old").at("blocks") == 1);
  CHECK(changed.at("repeats").at("status") == "grown");
  CHECK(changed.at("repeats").at("old").at("blocks") == 2);
  CHECK(changed.at("repeats").at("new").at("bytes") == 5 * 6003);
  const Outcome text = analyze({"diff", traces[0], traces[1]});
  CHECK(text.out.find("1 new, 1 grown, 0 shrunk, 1 gone") != std::string::npos);
}

TEST_CASE("diff wants two traces", "[diff]") {
  CHECK(analyze({"diff", "only_one.bin"}).exit_status == 2);
  CHECK(analyze({"diff", "a.bin", "b.bin", "c.bin"}).exit_status == 2);
  CHECK(analyze({"diff", "/no/such/a.bin", "/no/such/b.bin"}).exit_status == 3);
}
