// The committed file: what is written is read back as known, what was edited counts, what is wrong is named.
#include <algorithm>
#include <catch2/catch.hpp>

#include "gate_findings.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;

namespace {

std::vector<Finding> findings_of_all_kinds() {
  std::vector<Finding> findings = {
      finding_at({"parse", "main"}, 2, 100),
      finding_at({"parse", "main"}, 1, 7, FindingKind::indirect),
      finding_at({"std::vector::push_back", "(anonymous namespace)::load", "main"}, 3, 96, FindingKind::possible),
      finding_at({"(libfoo.so)", "main", "(truncated)"}, 1, 1, FindingKind::reachable),
      finding_at({"drop", "main"}, 1, 24, FindingKind::mismatched_free),
      finding_at({"drop", "main"}, 1, 24, FindingKind::double_free),
      finding_at({}, 1, 5),
      finding_at({"broken \xff\xc0 \"name\" \x01\n\t\\", "main"}, 1, 5),
      finding_at({"broken \xfe\xc0 \"name\"", "Straße"}, UINT64_MAX, UINT64_MAX),
  };
  findings[0].allocator = "new[]";
  return findings;
}

// What a file of findings says of others.
std::vector<Finding> compared(const Baseline& baseline, std::vector<Finding> findings) {
  baseline.compare(findings);
  return findings;
}

std::string error_of(const std::string& text) {
  try {
    baseline_of_text(text);
  } catch (const GateFileError& error) {
    return error.what();
  }
  return "no error";
}

std::string with_entry(const std::string& entry) {
  return R"({"schema": "memprof.baseline/1", "fingerprint_version": 1, "findings": [)"
         R"({"kind":"definite","allocator":"malloc","blocks":1,"bytes":1,"functions":["f"]},)" +
         entry + "]}";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("what was written is known when it is read", "[gate][baseline]") {
  const std::vector<Finding> findings = findings_of_all_kinds();
  const std::vector<Finding> found = compared(baseline_of(findings), findings);
  REQUIRE(found.size() == findings.size());
  for (const Finding& finding : found) {
    INFO((finding.names.empty() ? std::string() : finding.names[0]));
    CHECK(finding.status == FindingStatus::known);
    CHECK(finding.baseline_blocks == finding.blocks);
    CHECK(finding.baseline_bytes == finding.bytes);
  }
}

TEST_CASE("the file has a line for each finding, sorted, and the same whatever the order was", "[gate][baseline]") {
  std::vector<Finding> findings = {finding_at({"parse", "main"}, 2, 100), finding_at({"load", "main"}, 1, 8),
                                   finding_at({"parse", "main"}, 1, 24, FindingKind::mismatched_free)};
  const std::string text = baseline_text(findings, false);
  CHECK_THAT(text, Catch::Matchers::StartsWith(
                       R"({"schema": "memprof.baseline/1", "fingerprint_version": 1, "findings": [)"
                       "\n"
                       R"({"kind":"definite","allocator":"malloc","blocks":1,"bytes":8,"functions":["load","main"],)"));
  CHECK_THAT(text, Contains(R"({"kind":"mismatched-free","allocator":"malloc","free_function":"delete","blocks":1,)"
                            R"("bytes":24,"functions":["parse","main"],"fingerprint":")" +
                            fingerprint_text(findings[2].fingerprint) + "\"}\n]}\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  std::reverse(findings.begin(), findings.end());
  CHECK(baseline_text(findings, false) == text);
  CHECK(baseline_text({}, false) ==
        "{\"schema\": \"memprof.baseline/1\", \"fingerprint_version\": 1, \"findings\": [\n]}\n");
}

TEST_CASE("what does not count is not written, reachable blocks only when they are asked for", "[gate][baseline]") {
  std::vector<Finding> findings = {finding_at({"plain"}, 1, 1), finding_at({"suppressed"}, 1, 1),
                                   finding_at({"elsewhere"}, 1, 1), finding_at({"fixed"}, 1, 1),
                                   finding_at({"cache"}, 1, 1, FindingKind::reachable)};
  findings[1].suppression = 0;
  findings[2].is_elsewhere = true;
  findings[3].status = FindingStatus::fixed;
  const std::string text = baseline_text(findings, false), whole = baseline_text(findings, true);
  CHECK_THAT(text, Contains("plain"));
  for (const char* name : {"suppressed", "elsewhere", "fixed", "cache"}) CHECK_THAT(text, !Contains(name));
  CHECK_THAT(whole, Contains("cache"));
}

TEST_CASE("an edited file counts as it is edited", "[gate][baseline]") {
  const std::vector<Finding> findings = {finding_at({"parse", "main"}, 2, 100)};
  const std::string text = baseline_text(findings, false);
  const auto status_after = [&](const std::string& from, const std::string& to) {
    return compared(baseline_of_text(replaced(text, from, to)), findings).at(0).status;
  };
  CHECK(status_after("\"blocks\":2", "\"blocks\":9") == FindingStatus::known);
  CHECK(status_after("\"blocks\":2", "\"blocks\":1") == FindingStatus::grown);
  CHECK(status_after("\"bytes\":100", "\"bytes\":99") == FindingStatus::grown);
  CHECK(status_after("\"definite\"", "\"possible\"") == FindingStatus::added);
  CHECK(status_after("\"parse\",\"main\"", "\"other\",\"run\"") == FindingStatus::added);
  // The names count, whatever their fingerprint is said to be, or none is.
  CHECK(status_after(fingerprint_text(findings[0].fingerprint), "0123456789abcdef") == FindingStatus::known);
  CHECK(status_after(",\"fingerprint\":\"" + fingerprint_text(findings[0].fingerprint) + "\"", "") ==
        FindingStatus::known);
  CHECK(status_after("\"kind\"", "\r\n  \"of_a_later_version\": [1], \"kind\"") == FindingStatus::known);
}

TEST_CASE("of two entries for one place, as a merge of branches leaves them, the larger numbers count",
          "[gate][baseline]") {
  const std::vector<Finding> ours = {finding_at({"parse", "main"}, 2, 100)},
                             theirs = {finding_at({"parse", "main"}, 3, 90)};
  const std::string line = baseline_text(theirs, false);
  const size_t begin = line.find('\n'), end = line.find("\n]}");
  const std::string merged =
      replaced(baseline_text(ours, false), "\n]}", "," + line.substr(begin, end - begin) + "\n]}");
  const std::vector<Finding> found = compared(baseline_of_text(merged), {finding_at({"parse", "main"}, 3, 100)});
  REQUIRE(found.size() == 1);
  CHECK(found[0].status == FindingStatus::known);
}

TEST_CASE("a frame that another build lost does not make a leak new", "[gate][baseline]") {
  const Baseline baseline = baseline_of({finding_at({"make", "load", "run", "main"}, 4, 400)});
  const auto statuses = [&](const std::vector<Finding>& findings) {
    std::vector<FindingStatus> all;
    for (const Finding& finding : compared(baseline, findings)) all.push_back(finding.status);
    return all;
  };
  using S = FindingStatus;
  CHECK(statuses({finding_at({"make", "run", "main"}, 4, 400)}) == std::vector<S>{S::known});
  CHECK(statuses({finding_at({"make", "run", "main"}, 5, 500)}) == std::vector<S>{S::grown});
  // Another place, another size of blocks, another kind.
  CHECK(statuses({finding_at({"copy", "run", "main"}, 4, 400)}) == std::vector<S>{S::added, S::fixed});
  CHECK(statuses({finding_at({"make", "run", "main"}, 4, 4000)}) == std::vector<S>{S::added, S::fixed});
  CHECK(statuses({finding_at({"make", "run", "main"}, 4, 400, FindingKind::possible)}) ==
        std::vector<S>{S::added, S::fixed});
  // Where the very place is there it is the one, however like another is.
  CHECK(statuses({finding_at({"make", "run", "main"}, 4, 400), finding_at({"make", "load", "run", "main"}, 4, 400)}) ==
        std::vector<S>{S::added, S::known});
  // What two could be is neither.
  CHECK(statuses({finding_at({"make", "run", "main"}, 4, 400), finding_at({"make", "load", "main"}, 4, 400)}) ==
        std::vector<S>{S::added, S::added, S::fixed});
}

TEST_CASE("another function among the same callers is another place, which the baseline does not know",
          "[gate][baseline]") {
  using S = FindingStatus;
  const auto statuses = [&](const std::vector<std::string>& before, const std::vector<std::string>& after) {
    std::vector<S> all;
    for (const Finding& finding : compared(baseline_of({finding_at(before, 1, 100)}), {finding_at(after, 1, 100)}))
      all.push_back(finding.status);
    return all;
  };
  CHECK(statuses({"xmalloc", "handle_login", "dispatch", "serve", "main"},
                 {"xmalloc", "handle_upload", "dispatch", "serve", "main"}) == std::vector<S>{S::added, S::fixed});
  CHECK(statuses({"xmalloc", "a", "b", "c", "serve", "main"}, {"xmalloc", "b", "a", "c", "serve", "main"}) ==
        std::vector<S>{S::added, S::fixed});
  // What the C++ library has between does not count.
  CHECK(statuses({"make", "std::sort", "load", "run", "main"}, {"make", "std::for_each", "load", "run", "main"}) ==
        std::vector<S>{S::known});
  CHECK(statuses({"make", "std::sort", "load", "run", "main"}, {"make", "std::sort", "save", "run", "main"}) ==
        std::vector<S>{S::added, S::fixed});
  // Frames more or fewer.
  CHECK(statuses({"make", "load", "run", "main"}, {"load", "run", "main"}) == std::vector<S>{S::known});
  CHECK(statuses({"make", "load", "main"}, {"make", "load", "step", "run", "main"}) == std::vector<S>{S::known});
}

TEST_CASE("a place that allocates by a function of another family is new", "[gate][baseline]") {
  const auto status = [](const char* before, const char* after, const char* freed_before = "",
                         const char* freed_after = "") {
    Finding old = finding_at({"make", "run", "main"}, 1, 8), now = old;
    old.allocator = before;
    now.allocator = after;
    old.free_function = freed_before;
    now.free_function = freed_after;
    return compared(baseline_of({old}), {now}).at(0).status;
  };
  CHECK(status("malloc", "realloc") == FindingStatus::known);
  CHECK(status("malloc", "new") == FindingStatus::added);
  CHECK(status("new", "new[]") == FindingStatus::added);
  CHECK(status("my pool", "malloc") == FindingStatus::added);
  CHECK(status("my pool", "your pool") == FindingStatus::added);
  CHECK(status("new", "new", "free", "delete[]") == FindingStatus::added);
}

TEST_CASE("a place that allocates by another function now is the same place, beside the old one it is new",
          "[gate][baseline]") {
  const Finding before = finding_at({"make", "run", "main"}, 1, 8);
  Finding after = before;
  after.allocator = "calloc";
  const Baseline baseline = baseline_of({before});
  CHECK(compared(baseline, {after}).size() == 1);
  CHECK(compared(baseline, {after})[0].status == FindingStatus::known);
  CHECK(compared(baseline, {before, after})[0].status == FindingStatus::known);
  CHECK(compared(baseline, {before, after})[1].status == FindingStatus::added);
}

TEST_CASE("what is fixed is told as the file has it", "[gate][baseline]") {
  const std::vector<Finding> findings = findings_of_all_kinds();
  const std::vector<Finding> found = compared(baseline_of({findings[4]}), {});
  REQUIRE(found.size() == 1);
  CHECK(found[0].status == FindingStatus::fixed);
  CHECK(found[0].kind == FindingKind::mismatched_free);
  CHECK(found[0].names == findings[4].names);
  CHECK(found[0].allocator == "malloc");
  CHECK(found[0].free_function == "delete");
  CHECK(found[0].fingerprint == findings[4].fingerprint);
  CHECK(found[0].baseline_blocks == 1);
  CHECK(found[0].baseline_bytes == 24);
  CHECK(found[0].blocks == 0);
  CHECK_FALSE(found[0].counts());
}

TEST_CASE("a file that is no baseline is refused, with the place, what was expected and what was found",
          "[gate][baseline]") {
  struct Case {
    std::string text, place, expected, found;
  };
  const std::string entry = R"({"kind":"definite","allocator":"malloc","blocks":1,"bytes":1,"functions":["g"]})";
  const auto entry_with = [&](const std::string& from, const std::string& to) {
    return with_entry(replaced(entry, from, to));
  };
  const Case cases[] = {
      {"", "leaks.json:1", "JSON", "the end of the file"},
      {"{\n\"schema\": oops}", "leaks.json:2", "JSON", "oops}"},
      {"{\"schema\": \"memprof.baseline/1\",\n\n", "leaks.json:3", "JSON", "the end of the file"},
      {"[1]", "leaks.json", "a baseline (memprof.baseline/1)", "no JSON object"},
      {"{}", "leaks.json", "\"schema\": \"memprof.baseline/1\"", "nothing"},
      {R"({"schema": 5})", "leaks.json", "\"schema\": \"memprof.baseline/1\"", "5"},
      {R"({"schema": "memprof.check/1"})", "leaks.json", "\"schema\": \"memprof.baseline/1\"", "memprof.check/1"},
      {R"({"schema": "memprof.baseline/1", "findings": []})", "leaks.json", "\"fingerprint_version\"", "nothing"},
      {R"({"schema": "memprof.baseline/1", "fingerprint_version": "1"})", "leaks.json", "\"fingerprint_version\"",
       "\"1\""},
      {R"({"schema": "memprof.baseline/1", "fingerprint_version": 99, "findings": []})", "leaks.json",
       "--write-baseline", "version 99"},
      {R"({"schema": "memprof.baseline/1", "fingerprint_version": 1})", "leaks.json", "\"findings\", an array",
       "nothing"},
      {R"({"schema": "memprof.baseline/1", "fingerprint_version": 1, "findings": {}})", "leaks.json",
       "\"findings\", an array", "{}"},
      {with_entry("7"), "leaks.json: finding 2", "an object", "7"},
      {entry_with(R"("kind":"definite",)", ""), "leaks.json: finding 2", "\"kind\", a string", "nothing"},
      {entry_with(R"("definite")", "null"), "leaks.json: finding 2", "\"kind\", a string", "null"},
      {entry_with("definite", "lost"), "leaks.json: finding 2", "a kind, as \"definite\"", "\"lost\""},
      {entry_with(R"("malloc")", "[]"), "leaks.json: finding 2", "\"allocator\", a string", "[]"},
      {entry_with(R"("blocks":1)", R"("blocks":-1)"), "leaks.json: finding 2", "\"blocks\", a whole number", "-1"},
      {entry_with(R"("blocks":1)", R"("blocks":1.5)"), "leaks.json: finding 2", "\"blocks\", a whole number", "1.5"},
      {entry_with(R"("bytes":1)", R"("bytes":"1K")"), "leaks.json: finding 2", "\"bytes\", a whole number", "\"1K\""},
      {entry_with(R"("bytes":1,)", ""), "leaks.json: finding 2", "\"bytes\", a whole number", "nothing"},
      {entry_with(R"(["g"])", R"("g")"), "leaks.json: finding 2", "\"functions\", an array", "\"g\""},
      {entry_with(R"(["g"])", R"(["g", 8])"), "leaks.json: finding 2", "names of functions", "8"},
      {entry_with(R"("bytes":1)", R"("bytes":1,"free_function":3)"), "leaks.json: finding 2",
       "\"free_function\", a string", "3"},
  };
  for (const Case& one : cases) {
    INFO(one.text);
    const std::string error = error_of(one.text);
    CHECK_THAT(error, Contains(one.place + ":"));
    CHECK_THAT(error, Contains(one.expected));
    CHECK_THAT(error, Contains(one.found));
  }
  CHECK(error_of(with_entry(entry)) == "no error");
  // Of a long value the begin.
  CHECK(error_of(entry_with("definite", std::string(100'000, 'x'))).size() < 300);
  CHECK(error_of(entry_with("\"malloc\"", "[\"" + std::string(100'000, 'x') + "\"]")).size() < 300);
  CHECK_THAT(error_of(entry_with("\"blocks\":1", "\"blocks\":1" + std::string(1000, '0'))),
             Contains("leaks.json: expected JSON, found a number that is too large"));
}

TEST_CASE("JSON that is nested deep is refused before anything of it is printed or freed", "[gate][baseline]") {
  constexpr size_t kDepth = 1'000'000;
  const std::string opened(kDepth, '['), closed(kDepth, ']');
  std::string objects, object_ends(kDepth, '}');
  for (size_t i = 0; i < kDepth; ++i) objects += "{\"a\":";
  const std::string begin = R"({"schema": "memprof.baseline/1", "fingerprint_version": )";
  for (const std::string& text :
       {opened, opened + closed, objects + "1" + object_ends, "{\"schema\": " + opened + closed + "}",
        begin + "1, \"findings\": " + opened + closed + "}", begin + objects + "1" + object_ends + "}",
        with_entry("{\"kind\": " + opened + closed + "}"),
        with_entry("{\"later\": " + objects + "1" + object_ends + "}")})
    CHECK_THAT(error_of(text), Contains("leaks.json: expected a baseline, found JSON nested more than 64 deep"));
  CHECK(error_of(with_entry(R"({"kind":"definite","allocator":"malloc","blocks":1,"bytes":1,"functions":["g"],)"
                            R"("later":[[[{"a":[1]}]]]})")) == "no error");
}

TEST_CASE("a baseline that cannot be read is refused", "[gate][baseline]") {
  NewDirectory directory;
  CHECK_THROWS_WITH(Baseline::read(directory.at("none.json")), Contains("none.json: No such file"));
  CHECK_THROWS_AS(Baseline::read(directory.at("")), GateFileError);
}
