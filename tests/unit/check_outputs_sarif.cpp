#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <map>
#include <regex>
#include <set>

#include "check_tools.h"
#include "check_verdicts.h"
#include "gate/sarif.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using nlohmann::json;

namespace {

std::string sarif_of(const Verdict& verdict, const char* root = "/repo") {
  return written_by([&](Output& out) { print_sarif(verdict, {"0.1.0", root}, out); });
}

// What the specification demands and no JSON schema can say.
void check_rules_of_the_specification(const json& document) {
  const json& run = document["runs"][0];
  const json& rules = run["tool"]["driver"]["rules"];
  std::set<std::string> ids;
  for (const json& rule : rules) CHECK(ids.insert(rule["id"]).second);
  std::set<bool> have_baseline_state;
  const std::regex escaped(R"_(([^{}]|\{\{|\}\})*)_");
  const auto check_message = [&](const json& message) {
    const std::string text = message["text"];
    INFO(text);
    CHECK(std::regex_match(text, escaped));
    CHECK(text.find("](") == std::string::npos);
  };
  for (const json& result : run["results"]) {
    CHECK(rules.at(result["ruleIndex"].get<size_t>())["id"] == result["ruleId"]);
    CHECK(result.contains("suppressions"));
    have_baseline_state.insert(result.contains("baselineState"));
    check_message(result["message"]);
    REQUIRE(result["locations"].size() == 1);
    const json& physical = result["locations"][0]["physicalLocation"];
    const std::string uri = physical["artifactLocation"]["uri"];
    INFO(uri);
    CHECK(physical["region"]["startLine"] >= 1);
    CHECK(std::regex_match(uri, std::regex(R"_((file:///)?[A-Za-z0-9\-._~/+=@,%]+)_")));
    CHECK(physical["artifactLocation"].contains("uriBaseId") == !uri.starts_with("file:"));
    if (result.contains("stacks"))
      for (const json& stack : result["stacks"])
        for (const json& frame : stack["frames"]) check_message(frame["location"]["message"]);
  }
  CHECK(have_baseline_state.size() <= 1);
  for (const json& line : run["invocations"][0]["toolExecutionNotifications"]) check_message(line["message"]);
  CHECK(run["originalUriBaseIds"].contains("SRCROOT"));
}

std::vector<Verdict> all_verdicts() {
  Verdict stale = failing_verdict();
  stale.fails_on_stale = true;
  stale.has_baseline = false;
  stale.unseen = {"trace.bin: 7 events were dropped"};
  return {Verdict{},
          passing_verdict(),
          failing_verdict(),
          stale,
          verdict_of_hostile_names(),
          verdict_of_unknown_names(),
          verdict_of_many(300)};
}

}  // namespace

TEST_CASE("a finding in SARIF has its rule, place, stacks, fingerprint and state", "[check]") {
  const json d = json::parse(sarif_of(failing_verdict()));
  CHECK(d["version"] == "2.1.0");
  const json& run = d["runs"][0];
  CHECK(run["tool"]["driver"]["version"] == "0.1.0");
  CHECK(run["invocations"][0]["exitCode"] == 1);
  CHECK(run["invocations"][0]["executionSuccessful"] == true);
  const json& results = run["results"];
  // What is elsewhere is none; the limits are two.
  REQUIRE(results.size() == 9);
  const json& leak = results[0];
  CHECK(leak["ruleId"] == "definite-leak");
  CHECK(leak["level"] == "error");
  CHECK(leak["message"]["text"] ==
        "new definite leak at make_node(int) (list.c:12): 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost "
        "with them");
  CHECK(leak["locations"] == json::parse(R"_([{"physicalLocation": {
      "artifactLocation": {"uri": "src/list.c", "uriBaseId": "SRCROOT"}, "region": {"startLine": 12}},
    "logicalLocations": [{"fullyQualifiedName": "make_node(int)", "kind": "function"}]}])_"));
  CHECK(leak["partialFingerprints"] == json({{"memprof/v1", "0123456789abcdef"}}));
  CHECK(leak["baselineState"] == "new");
  CHECK(leak["occurrenceCount"] == 3);
  CHECK(leak["suppressions"] == json::array());
  REQUIRE(leak["stacks"].size() == 1);
  REQUIRE(leak["stacks"][0]["frames"].size() == 4);
  CHECK(leak["stacks"][0]["frames"][3] == json::parse(R"_({"module": "libc.so.6", "location": {
      "physicalLocation": {"artifactLocation": {"uri": "libc.so.6", "uriBaseId": "SRCROOT"}},
      "logicalLocations": [{"fullyQualifiedName": "__libc_start_call_main", "kind": "function"}],
      "message": {"text": "__libc_start_call_main (libc.so.6)"}}})_"));
  CHECK(results[1]["baselineState"] == "updated");
  CHECK(results[2]["ruleId"] == "mismatched-free");
  CHECK(results[2]["stacks"].size() == 2);
  CHECK(results[3]["baselineState"] == "unchanged");
  CHECK(results[3]["level"] == "note");
  CHECK(results[5]["suppressions"] == json::parse(R"_([{"kind": "external", "status": "accepted",
    "justification": "glibc-dlopen (/repo/known.supp:12)", "location": {"physicalLocation": {
      "artifactLocation": {"uri": "known.supp", "uriBaseId": "SRCROOT"}, "region": {"startLine": 12}}}}])_"));
  CHECK(results[6]["baselineState"] == "absent");
  CHECK(results[7]["ruleId"] == "max-peak");
  CHECK(results[7]["message"]["text"] == "max-peak: 12.00 MiB, over the limit of 10.00 MiB");
  CHECK(results[7]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app");
  CHECK(results[8]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/list.c");
}

TEST_CASE("without a baseline SARIF has no states, and what was not seen is a notification", "[check]") {
  const json run = json::parse(sarif_of(all_verdicts()[3]))["runs"][0];
  for (const json& result : run["results"]) CHECK(!result.contains("baselineState"));
  CHECK(run["invocations"][0]["executionSuccessful"] == false);
  CHECK(run["invocations"][0]["toolExecutionNotifications"] ==
        json::parse(R"_([{"level": "error", "message": {"text": "trace.bin: 7 events were dropped"}}])_"));
  CHECK(run["results"].back()["ruleId"] == "stale-suppression");
  CHECK(run["results"].back()["locations"][0]["physicalLocation"]["region"]["startLine"] == 40);
}

TEST_CASE("SARIF keeps the rules that its schema cannot say", "[check]") {
  for (const Verdict& verdict : all_verdicts()) check_rules_of_the_specification(json::parse(sarif_of(verdict)));
}

TEST_CASE("SARIF tells nothing that differs between equal runs", "[check]") {
  Verdict first = failing_verdict(), second = failing_verdict();
  for (JudgedTrace& trace : second.traces) {
    trace.path = "/tmp/other/trace.77.bin";
    trace.pid = 77;
    trace.parent_pid = 76;
    trace.duration_ns = 1;
    trace.executable = "/tmp/elsewhere/app";
  }
  CHECK(sarif_of(first) == sarif_of(second));
}

TEST_CASE("SARIF is valid against its schema", "[check]") {
  const std::string schema = std::string(MEMPROF_SCHEMAS) + "/sarif-2.1.0.json";
  if (!can_run("test -r " + schema, "no " + schema + " (scripts/test fetches it with npm)") ||
      !can_run("/usr/bin/python3 -c 'import jsonschema'", "no python3-jsonschema"))
    return;
  const std::string validate =
      "/usr/bin/python3 -c 'import json, jsonschema, sys\n"
      "jsonschema.Draft4Validator(json.load(open(sys.argv[1])), "
      "format_checker=jsonschema.FormatChecker()).validate(json.load(open(sys.argv[2])))' " +
      schema + " ";
  for (const Verdict& verdict : all_verdicts()) {
    const DocumentFile file(sarif_of(verdict));
    const ToolResult result = run_tool(validate + file.path());
    INFO(result.output);
    CHECK(result.status == 0);
  }
  // The validator does validate.
  json broken = json::parse(sarif_of(failing_verdict()));
  broken["runs"][0]["results"][0]["baselineState"] = "fresh";
  CHECK(run_tool(validate + DocumentFile(broken.dump()).path()).status != 0);
}
