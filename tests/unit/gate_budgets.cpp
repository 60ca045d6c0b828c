// What functions and modules may have: the file, and the sums.
#include <catch2/catch.hpp>

#include "gate/budget.h"
#include "gate_findings.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

std::vector<Budget> budgets_of(const std::string& text) {
  NewDirectory directory;
  write_text(directory.at("budgets"), text);
  return read_budgets(directory.at("budgets"));
}

// Behind the file's name.
std::string budget_error(const std::string& text) {
  try {
    budgets_of(text);
  } catch (const GateFileError& error) {
    const std::string what = error.what();
    return what.substr(what.find("budgets") + 7);
  }
  return "no error";
}

}  // namespace

TEST_CASE("a line is a function or a module and its limits", "[gate][budget]") {
  const std::vector<Budget> budgets = budgets_of(
      "# all of ours\n"
      "\n"
      "function ns::parse_*      bytes=10K blocks=20 peak=1.5M allocations=5000   # a comment\r\n"
      "   module\tlibjson.so allocations=0\n"
      "function operator new(unsigned long) bytes=1\n"
      "function /^ns::/ peak=7");
  REQUIRE(budgets.size() == 4);
  CHECK_FALSE(budgets[0].is_of_module);
  CHECK(budgets[0].pattern.text() == "ns::parse_*");
  CHECK(budgets[0].bytes == uint64_t{10'240});
  CHECK(budgets[0].blocks == uint64_t{20});
  CHECK(budgets[0].peak == uint64_t{1'572'864});
  CHECK(budgets[0].allocations == uint64_t{5000});
  CHECK(budgets[1].is_of_module);
  CHECK(budgets[1].pattern.text() == "libjson.so");
  CHECK(budgets[1].allocations == uint64_t{0});
  CHECK_FALSE(budgets[1].bytes);
  CHECK_FALSE(budgets[1].blocks);
  CHECK_FALSE(budgets[1].peak);
  CHECK(budgets[2].pattern.text() == "operator new(unsigned long)");
  CHECK(budgets[3].pattern.matches_function("ns::f"));
  CHECK(budgets_of("").empty());
}

TEST_CASE("a line that is wrong is named, with what was expected and what was found", "[gate][budget]") {
  CHECK(budget_error("# one\nclass Parser bytes=1\n") == ":2: expected function or module, found class");
  CHECK(budget_error("function parse bytes=ten\n") == ":1: expected a number, as 1000 or 10K, found bytes=ten");
  CHECK(budget_error("function parse bytes=\n") == ":1: expected a number, as 1000 or 10K, found bytes=");
  CHECK(budget_error("function parse bytes=-1\n") == ":1: expected a number, as 1000 or 10K, found bytes=-1");
  CHECK(budget_error("function parse\n") ==
        ":1: expected bytes=N, blocks=N, peak=N or allocations=N at its end, found parse");
  CHECK(budget_error("function\n") ==
        ":1: expected bytes=N, blocks=N, peak=N or allocations=N at its end, found function");
  CHECK(budget_error("function parse size=10\n") ==
        ":1: expected bytes=N, blocks=N, peak=N or allocations=N at its end, found size=10");
  CHECK(budget_error("module blocks=3\n") == ":1: expected a name behind module, found blocks=3");
  CHECK(budget_error("function !parse bytes=3\n") == ":1: expected a name without !, found !parse");
  CHECK(budget_error("\n\nfunction /(/ bytes=3\n").starts_with(":3: expected a name or a pattern, found /(/ ("));
  CHECK(budget_error("function parse bytes=1 bytes=2\n") == ":1: expected each limit once, found bytes=1");
}

TEST_CASE("a file of budgets that cannot be read is refused", "[gate][budget]") {
  NewDirectory directory;
  CHECK_THROWS_WITH(read_budgets(directory.at("none")), Catch::Matchers::EndsWith("none: No such file or directory"));
  CHECK_THROWS_WITH(read_budgets(directory.at("")), Catch::Matchers::EndsWith(": it cannot be read"));
}

TEST_CASE("a stack counts for every budget that one of its frames matches", "[gate][budget]") {
  TraceBuilder b;
  const uint32_t app = b.add_module("/bin/app", 0x1000, 0x2000, 0x1000);
  const uint32_t json = b.add_module("/lib/libjson.so.1", 0x3000, 0x4000, 0x3000);
  const uint32_t main = b.add_node(format::kRootWhole, app, 0x10);
  const uint32_t parse = b.add_node(main, json, 0x20);
  const uint32_t deeper = b.add_node(parse, json, 0x30);
  b.alloc(1, 10, 0x10000, 100, main);
  b.alloc(1, 20, 0x20000, 30, parse);
  b.alloc(1, 30, 0x30000, 5, deeper);
  b.free(1, 40, 0x20000);
  b.alloc(1, 50, 0x40000, 10, parse);
  b.realloc(1, 60, 61, 0x30000, 0x30000, 7, deeper);
  b.alloc(1, 70, 0x7f0000000000, 4096, parse, format::Function::mmap);  // not of the heap
  b.close(100);

  Trace trace(open_bytes(b.build()));
  FrameSource source(trace, {});
  std::string problem;
  std::vector<Budget> budgets(3);
  for (Budget& budget : budgets) budget.is_of_module = true;
  budgets[0].pattern = NamePattern::parse("libjson.so", problem);
  budgets[1].pattern = NamePattern::parse("app", problem);
  budgets[2].pattern = NamePattern::parse("libother.so", problem);
  BudgetSums sums(trace, budgets, {Domains::kHeap}, source);
  analyse(trace, nullptr, nullptr, &sums);
  const BudgetSums::Sums& of_json = sums.sums()[0];
  CHECK(of_json.bytes == 17);
  CHECK(of_json.blocks == 2);
  CHECK(of_json.peak == 35);
  CHECK(of_json.allocations == 4);
  const BudgetSums::Sums& of_app = sums.sums()[1];
  CHECK(of_app.bytes == 117);
  CHECK(of_app.blocks == 3);
  CHECK(of_app.peak == 135);
  CHECK(of_app.allocations == 5);
  CHECK(sums.sums()[2].allocations == 0);
}
