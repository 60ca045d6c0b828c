// Reports by domain, allocator and tag against a slow account of random traces.
#include <catch2/catch.hpp>

#include "group_history.h"
#include "report/domain_choice.h"
#include "report/reports.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using nlohmann::json;

namespace {

constexpr uint64_t kGroupSeeds[] = {1, 2, 3, 4};

const std::map<GroupBy, GroupHistory::Key>& group_keys() {
  static const std::map<GroupBy, GroupHistory::Key> kKeys = {
      {GroupBy::tag, [](const GroupedBlock& block) { return block.tag; }},
      {GroupBy::allocator, [](const GroupedBlock& block) { return block.allocator; }},
      {GroupBy::domain, [](const GroupedBlock& block) { return block.domain; }},
      {GroupBy::thread,
       [](const GroupedBlock& block) {
         return std::to_string(block.thread) + " (" + std::to_string(5000 + block.thread) + ")";
       }},
      {GroupBy::function, [](const GroupedBlock& block) { return block.stack; }},
  };
  return kKeys;
}

const std::map<std::string, std::set<std::string>>& domain_choices() {
  static const std::map<std::string, std::set<std::string>> kChoices = {
      {"cpu", {"cpu"}},
      {"textures", {"textures"}},
      {"cpu,textures", {"cpu", "textures"}},
      {"all", {"cpu", "textures"}},
  };
  return kChoices;
}

ReportOptions json_options(GroupBy group, const std::string& domain) {
  ReportOptions options;
  options.symbols = false;
  options.json = true;
  options.group = group;
  options.domain = domain;
  return options;
}

// Opened as the command line does.
struct Opened {
  Opened(GroupHistory& history, const ReportOptions& options) : trace(open_bytes(history.builder.build())) {
    choose_domains(trace, named_domains(trace, options.domain).domains);
  }
  Trace trace;
};

GroupSums sums_of(const json& site) {
  GroupSums sums;
  sums.allocations = site["allocations"];
  sums.bytes = site["bytes_allocated"];
  sums.open = site["open"]["chunks"];
  sums.open_bytes = site["open"]["bytes"];
  sums.peak = site["peak"]["bytes"];
  sums.at_peak = site["at_peak"]["bytes"];
  return sums;
}

void check_sums(GroupSums want, const GroupSums& got) {
  want.frees = want.bytes_freed = 0;  // sites have none of their own
  CHECK((want == got));
}

template <class Check>
void for_each_question(Check check) {
  for (const uint64_t seed : kGroupSeeds) {
    GroupHistory history(seed);
    for (const auto& [by, key] : group_keys()) {
      for (const auto& [domain, domains] : domain_choices()) {
        CAPTURE(seed, group_name(by), domain);
        check(history, json_options(by, domain), key, domains);
      }
    }
  }
}

}  // namespace

TEST_CASE("groups of one domain and of several together have the numbers of their blocks", "[groups]") {
  for_each_question([](GroupHistory& history, ReportOptions options, const auto& key, const auto& domains) {
    options.by = RankBy::allocations;
    Opened opened(history, options);
    const SiteExtras extras(opened.trace, options);
    const Analysis analysis = analyse(opened.trace, extras.visitor());
    const json d =
        json::parse(written_by([&](Output& out) { REQUIRE(report_stacks(analysis, options, out, extras)); }));
    auto want = history.sums(domains, key);
    const GroupSums whole = want.at("");
    want.erase("");
    CHECK(d["total"] == whole.allocations);
    CHECK(d["domain"] == options.domain);
    REQUIRE(d["stacks"].size() == want.size());
    for (const json& site : d["stacks"]) {
      CHECK(site["group"]["by"] == group_name(options.group));
      check_sums(want.at(site["group"]["name"]), sums_of(site));
    }
    CHECK(analysis.account(*find_domains(opened.trace, options.domain))->sites.peak_bytes() == whole.peak);
  });
}

TEST_CASE("several domains are named with commas, and each must be there", "[groups]") {
  GroupHistory history(1);
  const Trace trace(open_bytes(history.builder.build()));
  CHECK(named_domains(trace, "cpu,nowhere,textures,nothing").unknown == std::vector<std::string>{"nowhere", "nothing"});
  CHECK_FALSE(find_domains(trace, "cpu,nowhere"));
  CHECK(find_domains(trace, "cpu,cpu")->only() == Domains::kHeap);
  CHECK_FALSE(find_domains(trace, "all")->only());
  CHECK(domains_text("cpu,textures") == "domains cpu,textures");
  CHECK(domains_text("all") == "all domains");
}
