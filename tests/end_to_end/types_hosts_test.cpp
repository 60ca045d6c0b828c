// The types of blocks, as the stacks of an optimized program with debug information name them.
#include <catch2/catch.hpp>
#include <map>

#include "host.h"

using namespace memprof::tests;

TEST_CASE("blocks by their types, and how many stayed untyped", "[hosts]") {
  const HostRun host({"typed"});
  const std::string trace = host.trace().path().string();
  const Outcome outcome = analyze({"stacks", "--json", "--group", "type", "--by", "allocations", trace});
  REQUIRE(outcome.exit_status == 0);
  std::map<std::string, uint64_t> blocks;
  const Json report = Json::parse(outcome.out);
  for (const Json& site : report.at("stacks"))
    blocks[site.at("group").at("name").get<std::string>()] = site.at("allocations").get<uint64_t>();
  const std::string shape = "(anonymous namespace)::Shape";
  CHECK(blocks[shape] == 40 + 30);
  CHECK(blocks["tree node of std::pair<int const, " + shape + ">"] == 50);
  CHECK(blocks["list node of std::string"] == 20);
  CHECK(blocks["char"] == 20);
  CHECK(blocks["(untyped)"] == 7 + 1);  // and libstdc++'s pool for exceptions
  const Outcome text = analyze({"stacks", "--group", "type", "--by", "allocations", trace});
  CHECK(text.out.find("are of blocks whose stacks name no type") != std::string::npos);
}
