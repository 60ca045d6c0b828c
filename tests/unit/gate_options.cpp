// The options of `check` as rules.
#include <catch2/catch.hpp>

#include "cli/check_options.h"

using namespace memprof;
using Catch::Matchers::Contains;

namespace {

struct Parsed {
  CheckLine line;
  std::string problem;
};

Parsed parsed(std::vector<std::string> arguments, bool json = false) {
  Parsed result;
  CheckOptions options;
  CLI::App app;
  options.add_to(app, result.line);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    result.problem = error.what();
    return result;
  }
  result.problem = options.check(result.line, json);
  return result;
}

Rules rules_of(const std::vector<std::string>& arguments) {
  const Parsed result = parsed(arguments);
  REQUIRE(result.problem == "");
  return result.line.rules;
}

std::string problem_of(const std::vector<std::string>& arguments, bool json = false) {
  return parsed(arguments, json).problem;
}

using Kinds = std::set<FindingKind>;

}  // namespace

TEST_CASE("without options definite leaks and mismatched frees fail", "[gate][options]") {
  const Rules rules = rules_of({"a.bin", "b.bin"});
  CHECK(rules.fail_on == Kinds{FindingKind::definite, FindingKind::mismatched_free});
  CHECK_FALSE(rules.fail_on_reachable_growth);
  CHECK_FALSE(rules.has_leaked_limit());
  CHECK_FALSE((rules.allow_incomplete || rules.allow_dropped || rules.allow_unclassified || rules.allow_unmatched ||
               rules.fail_on_stale));
  CHECK(parsed({"a.bin", "b.bin"}).line.traces == std::vector<std::string>{"a.bin", "b.bin"});
}

TEST_CASE("--fail-on says what fails in place of the default", "[gate][options]") {
  CHECK(rules_of({"--fail-on", "possible,double-free"}).fail_on ==
        Kinds{FindingKind::possible, FindingKind::double_free});
  CHECK(rules_of({"--fail-on", "possible", "--fail-on=indirect"}).fail_on ==
        Kinds{FindingKind::possible, FindingKind::indirect});
  CHECK(rules_of({"--fail-on", "none"}).fail_on.empty());
  const Rules growth = rules_of({"--fail-on", "definite,reachable-growth", "--baseline", "leaks.json"});
  CHECK(growth.fail_on == Kinds{FindingKind::definite});
  CHECK(growth.fail_on_reachable_growth);
  CHECK(rules_of({"--fail-on", "reachable-growth", "--write-baseline", "leaks.json"}).fail_on_reachable_growth);
  CHECK_THAT(problem_of({"--fail-on", "reachable-growth"}), Contains("--baseline"));
}

TEST_CASE("a kind that is none is refused, an empty one too", "[gate][options]") {
  for (const char* text : {"leaks", "definite,", "definite,,possible", "reachable", "", "Definite", " definite"}) {
    INFO('"' << text << '"');
    CHECK_THAT(problem_of({"--fail-on", text}), Contains("--fail-on"));
  }
}

TEST_CASE("limits are numbers with units, and of leaks they stand in for definite leaks", "[gate][options]") {
  const Rules rules = rules_of({"--max-leaked-bytes", "10K", "--max-leaked-blocks", "3", "--max-site-leaked-bytes",
                                "1M", "--max-site-leaked-blocks", "0", "--max-peak", "1.5M", "--max-allocations", "7",
                                "--max-temporary", "8"});
  CHECK(rules.max_leaked_bytes == uint64_t{10'240});
  CHECK(rules.max_leaked_blocks == uint64_t{3});
  CHECK(rules.max_site_leaked_bytes == uint64_t{1 << 20});
  CHECK(rules.max_site_leaked_blocks == uint64_t{0});
  CHECK(rules.max_peak == uint64_t{1'572'864});
  CHECK(rules.max_allocations == uint64_t{7});
  CHECK(rules.max_temporary == uint64_t{8});
  CHECK(rules.fail_on == Kinds{FindingKind::mismatched_free});
  CHECK(rules_of({"--max-peak", "1"}).fail_on.contains(FindingKind::definite));
  CHECK(rules_of({"--max-leaked-bytes", "1", "--fail-on", "definite"}).fail_on == Kinds{FindingKind::definite});
}

TEST_CASE("a limit that is no number is refused, an empty one too", "[gate][options]") {
  for (const char* option : {"--max-leaked-bytes", "--max-leaked-blocks", "--max-site-leaked-bytes",
                             "--max-site-leaked-blocks", "--max-peak", "--max-allocations", "--max-temporary"})
    for (const char* text : {"many", "", "1X", "0x10"}) {
      INFO(option << " \"" << text << '"');
      CHECK_THAT(problem_of({option, text}), Contains(option));
    }
}

TEST_CASE("files without a name are refused", "[gate][options]") {
  for (const char* option : {"--baseline", "--write-baseline", "--write-suppressions", "--junit", "--sarif",
                             "--memcheck-xml", "--markdown"}) {
    INFO(option);
    CHECK_THAT(problem_of({option, ""}), Contains(option));
  }
}

TEST_CASE("no output goes to standard output, where the report is", "[gate][options]") {
  for (const char* option :
       {"--write-baseline", "--write-suppressions", "--junit", "--sarif", "--memcheck-xml", "--markdown"}) {
    CHECK_THAT(problem_of({option, "-"}), Contains(option) && Contains("standard output is for the report"));
    CHECK(problem_of({option, "./-"}) == "");
  }
}

TEST_CASE("two outputs to one place are refused, and one over a trace", "[gate][options]") {
  CHECK_THAT(problem_of({"--junit", "out.xml", "--sarif", "out.xml"}), Contains("out.xml"));
  CHECK_THAT(problem_of({"--junit", "out.xml", "--sarif", "./out.xml"}), Contains("out.xml"));
  CHECK_THAT(problem_of({"a.bin", "--junit", "a.bin"}), Contains("a.bin is a trace"));
  CHECK_THAT(problem_of({"./a.bin", "--write-baseline", "a.bin"}), Contains("a.bin is a trace"));
  CHECK_THAT(problem_of({"--github"}, true), Contains("--json and --github"));
  CHECK(problem_of({"--github"}) == "");
  CHECK(problem_of({"a.bin", "--junit", "a.xml", "--sarif", "a.json", "--baseline", "b.json", "--write-baseline",
                    "b.json"}) == "");
}

TEST_CASE("options that may come more than once take one value each", "[gate][options]") {
  const CheckLine line =
      parsed({"--only-from", "src", "a.bin", "--only-from", "lib", "--ignore-module", "libx.so", "--suppressions",
              "one.supp", "b.bin", "--suppressions", "two.supp", "--budget", "b.txt"})
          .line;
  CHECK(line.traces == std::vector<std::string>{"a.bin", "b.bin"});
  CHECK(line.rules.only_from == std::vector<std::string>{"src", "lib"});
  CHECK(line.ignored_modules == std::vector<std::string>{"libx.so"});
  CHECK(line.suppression_files == std::vector<std::string>{"one.supp", "two.supp"});
  CHECK(line.budget_files == std::vector<std::string>{"b.txt"});
}

TEST_CASE("tags and domains choose what is judged; what is lost is told of the heap alone", "[gate][options]") {
  const Rules rules = rules_of({"--tag", "parse", "--tag", "!new*", "--domain", "gpu,cpu", "--domain", "pool"});
  CHECK(rules.tags == std::vector<std::string>{"parse", "!new*"});
  CHECK(rules.domain == "gpu,cpu,pool");
  CHECK(rules_of({"--domain", "all"}).domain == "all");
  CHECK(rules_of({"--domain", "gpu", "--fail-on", "none"}).domain == "gpu");
  CHECK_FALSE(rules_of({"a.bin"}).chooses_blocks());
  CHECK_THAT(problem_of({"--domain", "gpu"}), Contains("--domain gpu: only of the heap (cpu)"));
  CHECK_THAT(problem_of({"--domain", "gpu", "--fail-on", "none", "--max-leaked-bytes", "1"}), Contains("name cpu too"));
  CHECK_THAT(problem_of({"--tag", "/(/"}), Contains("--tag /(/"));
  CHECK_THAT(problem_of({"--tag", ""}), Contains("empty"));
}
