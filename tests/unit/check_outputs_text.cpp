#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "check_verdicts.h"
#include "gate/check_json.h"
#include "gate/check_text.h"
#include "gate/finding_text.h"
#include "gate/source_path.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using nlohmann::json;

namespace {

std::string text_of(const Verdict& verdict, const CheckTextOptions& options = {}) {
  return written_by([&](Output& out) { print_check_text(verdict, options, out); });
}

json json_of(const Verdict& verdict) {
  return json::parse(written_by([&](Output& out) { print_check_json(verdict, out); }));
}

}  // namespace

TEST_CASE("the text of a failing gate says what fails, where, and last the verdict", "[check]") {
  CHECK(
      text_of(failing_verdict()) ==
      R"_(new definite leak: 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them, in 2 of 2 traces   [0123456789abcdef]
    #0  std::allocate<int>()  alloc.h:7  (app)
  > #1  make_node(int)  list.c:12  (app)
    #2  main  main.c:30  (app)

grown possible leak: 1.20 KiB in 3 blocks (the baseline has 512 B in 1) from malloc, in 1 of 2 traces   [0000000000000002]
  > #0  grow(char const*)  grow.c:5  (app)

new mismatched free: 24 B in 1 block from new[], freed by free, in 1 of 2 traces   [0000000000000003]
  > #0  grow(char const*)  grow.c:5  (app)
  freed at
    #0  drop()  drop.c:8  (app)

limits broken:
  max-peak: 12.00 MiB, over the limit of 10.00 MiB
  budget of *list* (blocks): 3, over the limit of 2
      by the new definite leak at make_node(int) (list.c:12): 1.20 KiB in 3 blocks from malloc, a...

fixed, but still in the baseline (write it anew, or they may come back unseen):
  definite leak at old_parse < main: was 100 B in 2 blocks   [0000000000000008]

suppressions used:
  glibc-dlopen (/repo/known.supp:12): 1 finding, 1.20 KiB in 3 blocks

stale suppressions, which match nothing any more:
  old-leak (/repo/known.supp:40)

found               findings      blocks          size
  definite                 2           6      2.41 KiB   1 fails, 1 known
  possible                 1           3      1.20 KiB   1 fails
  reachable                1           3      1.20 KiB
  mismatched-free          1           1          24 B   1 fails
  suppressed               1           3      1.20 KiB
  elsewhere                1           3      1.20 KiB   in code that the gate was told to leave out
The baseline knows 1 of them, 1.20 KiB in 3 blocks: not listed.

check: FAILED: 1 new leak (1.20 KiB in 3 blocks); 1 grown leak (1.20 KiB in 3 blocks); 1 mismatched free; max-peak: 12.00 MiB, over the limit of 10.00 MiB; budget of *list* (blocks): 3, over the limit of 2
)_");
}

TEST_CASE("the text of a gate that passes says what it let pass", "[check]") {
  CHECK(text_of(passing_verdict()) == "check: passed: no leaks\n");
  Verdict verdict = failing_verdict();
  verdict.broken_limits.clear();
  std::erase_if(verdict.findings, [](const Finding& finding) { return finding.fails; });
  CHECK(verdict_text(verdict) ==
        "passed: 1 reachable leak (1.20 KiB in 3 blocks); 1 known (1.20 KiB in 3 blocks); 1 suppressed (1.20 KiB in 3 "
        "blocks); 1 elsewhere (1.20 KiB in 3 blocks); 1 fixed (100 B in 2 blocks)");
}

TEST_CASE("the verdict tells each reason to fail", "[check]") {
  Verdict verdict = passing_verdict();
  verdict.unseen = {"trace.bin: 7 events were dropped"};
  CHECK(verdict_text(verdict) == "FAILED: trace.bin: 7 events were dropped");
  verdict.unseen.emplace_back("another");
  verdict.fails_on_stale = true;
  verdict.suppressions = {{"old", "a.supp", 3}};
  CHECK(verdict_text(verdict) == "FAILED: 1 stale suppression; 2 things were not seen");
  verdict.broken_limits.assign(5, {"max-peak", "", "peak", 1 << 20, (1 << 20) + 1, {}});
  const std::string one = "max-peak: 1,048,577 B, over the limit of 1,048,576 B; ";
  CHECK(verdict_text(verdict) ==
        "FAILED: " + one + one + one + "2 other limits broken; 1 stale suppression; 2 things were not seen");
}

TEST_CASE("a blamed frame far out is shown, and a long list is cut with its sum", "[check]") {
  Verdict verdict = verdict_of_many(60);
  Finding& first = verdict.findings.front();
  for (int i = 0; i < 40; ++i) first.frames.insert(first.frames.begin(), frame_at("deep()", "/repo/d.c", 1));
  first.blamed = 41;
  const std::string text = text_of(verdict, {.max_frames = 3, .max_findings = 2});
  CHECK_THAT(text, Catch::Contains("    #2  deep()  d.c:1  (app)\n"
                                   "        ... 38 frames\n"
                                   "  > #41 make_0("));
  CHECK_THAT(text, Catch::Contains("... and 58 others that fail, 69.78 KiB in 174 blocks\n"));
  CHECK_THAT(text, !Catch::Contains("make_2("));
}

TEST_CASE("a cut stack is told as cut", "[check]") {
  Verdict verdict = failing_verdict();
  verdict.findings.front().is_truncated = true;
  CHECK_THAT(text_of(verdict), Catch::Contains("__libc_start_call_main  (libc.so.6)\n"
                                               "        (truncated here: the outer frames are unknown)\n"));
}

TEST_CASE("no name reaches the terminal raw", "[check]") {
  const std::string text = text_of(verdict_of_hostile_names());
  CHECK(text.find_first_of(std::string("\0\x01\x1b\r\t\x7f\xff", 7)) == std::string::npos);
  CHECK_THAT(text, !Catch::Contains("\u202e") && !Catch::Contains("\n::") && !Catch::Contains("\n=="));
  CHECK_NOTHROW(json(text).dump());
  CHECK_NOTHROW(text_of(verdict_of_unknown_names()));
}

TEST_CASE("lines of the text but its last are no wider than a terminal of 132 columns", "[check]") {
  std::istringstream lines(text_of(verdict_of_many(3)));
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK((line.size() <= 132 || line.starts_with("check: ")));
  }
}

TEST_CASE("the JSON of the gate has everything in the verdict", "[check]") {
  const Verdict verdict = failing_verdict();
  const json d = json_of(verdict);
  CHECK(d["schema"] == "memprof.check/1");
  CHECK(d["passed"] == false);
  CHECK(d["verdict"] == verdict_text(verdict));
  CHECK(d["has_baseline"] == true);
  CHECK(d["fails_on_stale"] == false);
  CHECK(d["unseen"] == json::array());
  REQUIRE(d["findings"].size() == 8);
  CHECK(d["findings"][0] == json::parse(R"_({
    "kind": "definite", "status": "new", "fails": true, "counts": true, "fingerprint": "0123456789abcdef",
    "allocator": "malloc", "free_function": null, "chunks": 3, "bytes": 1232, "indirect": {"chunks": 2, "bytes": 64},
    "baseline": null, "traces": [0, 1], "suppression": null, "elsewhere": false, "blamed": 1, "truncated": false,
    "names": [], "free_stack": [], "stack": [
      {"function": "std::allocate<int>()", "linkage_name": null, "file": "/usr/include/c++/12/bits/alloc.h", "line": 7,
       "module": "/opt/app/bin/app", "offset": 4660, "inlined": false
},
      {"function": "make_node(int)", "linkage_name": null, "file": "/repo/src/list.c", "line": 12,
       "module": "/opt/app/bin/app", "offset": 4660, "inlined": false},
      {"function": "main", "linkage_name": null, "file": "/repo/src/main.c", "line": 30,
       "module": "/opt/app/bin/app", "offset": 4660, "inlined": false},
      {"function": "__libc_start_call_main", "linkage_name": null, "file": null, "line": null,
       "module": "/lib/libc.so.6", "offset": 153, "inlined": false}]
})_"));
  CHECK(d["findings"][1]["baseline"] == json({{"chunks", 1}, {"bytes", 512}}));
  CHECK(d["findings"][2]["free_stack"].size() == 1);
  CHECK(d["findings"][5]["suppression"] == 0);
  CHECK(d["findings"][6]["elsewhere"] == true);
  CHECK(d["findings"][7]["status"] == "fixed");
  CHECK(d["findings"][7]["names"] == json({"old_parse", "main"}));
  CHECK(d["totals"]["kinds"]["definite"] == json::parse(R"_({"findings": 2, "chunks": 6, "bytes": 2464,
    "failing": {"findings": 1, "chunks": 3, "bytes": 1232}, "known": {"findings": 1, "chunks": 3, "bytes": 1232}})_"));
  CHECK(d["totals"]["fixed"] == json({{"findings", 1}, {"chunks", 2}, {"bytes", 100}}));
  CHECK(d["broken_limits"][1] == json::parse(R"_({"rule": "budget", "subject": "*list*", "quantity": "blocks",
    "limit": 2, "found": 3, "finding": 0})_"));
  CHECK(d["suppressions"][1] == json::parse(R"_({"name": "old-leak", "file": "/repo/known.supp", "line": 40,
    "findings": 0, "chunks": 0, "bytes": 0, "stale": true})_"));
  CHECK(d["traces"][0]["command"] == json({"./app", "--fast"}));
  CHECK(d["traces"][0]["duration_ns"] == 1'500'000'000);
}

TEST_CASE("the JSON of the gate is JSON whatever the names are", "[check]") {
  const json d = json_of(verdict_of_hostile_names());
  CHECK(d["findings"].size() == 8);
  // Valid UTF-8 comes back as it was.
  CHECK_THAT(d["unseen"][0].get<std::string>(), Catch::Contains("\u202e") && Catch::Contains("\r\n==1=="));
  CHECK(json_of(verdict_of_unknown_names())["findings"][0]["blamed"].is_null());
}

TEST_CASE("paths are told from the root of the sources", "[check]") {
  CHECK(path_in_repository("/repo/build/../src/./a.c", "/repo") == "src/a.c");
  CHECK(path_in_repository("/repo/src/a.c", "/repo/") == "src/a.c");
  CHECK(path_in_repository("/repository/a.c", "/repo") == "/repository/a.c");
  CHECK(path_in_repository("src/a.c", "/repo") == "src/a.c");
  CHECK(path_in_repository("/repo/a.c", "") == "/repo/a.c");
  CHECK(path_as_uri("src/a b:c%.c") == "src/a%20b%3Ac%25.c");
  CHECK(path_as_uri("//usr/a.c") == "file:///usr/a.c");
  CHECK(path_as_uri("\xff\n") == "%FF%0A");
}
