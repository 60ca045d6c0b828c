// Reports by domain, allocator and tag against a slow account of random traces.
#include <algorithm>
#include <catch2/catch.hpp>

#include <sstream>

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

TEST_CASE("the summary lists groups in place of stacks, and says of the rest the same", "[groups]") {
  for_each_question([](GroupHistory& history, ReportOptions options, const auto& key, const auto& domains) {
    options.top = SIZE_MAX;
    Opened opened(history, options);
    const Analysis analysis = analyse(opened.trace);
    const auto document = [&](const GroupedSums* grouped) {
      return json::parse(written_by([&](Output& out) { report_summary_json(analysis, options, out, grouped); }));
    };
    json by_stack = document(nullptr);
    const GroupedSums grouped(opened.trace, options, nullptr);
    json d = document(&grouped);
    auto want = history.sums(domains, key);
    want.erase("");
    REQUIRE(d["top"]["allocated"].size() == want.size());
    for (const json& site : d["top"]["allocated"]) check_sums(want.at(site["group"]["name"]), sums_of(site));
    d.erase("top");
    by_stack.erase("top");
    CHECK(d == by_stack);
  });
}

TEST_CASE("a tree begins with groups, and each stack's share of a group is below it", "[groups]") {
  for_each_question([](GroupHistory& history, ReportOptions options, const auto& key, const auto& domains) {
    options.min_percent = 0;
    const auto both = [&](const GroupedBlock& block) { return key(block) + "|" + block.stack; };
    const auto want = history.sums(domains, key), want_of_stacks = history.sums(domains, both);
    for (const auto& [by, value] :
         {std::pair(RankBy::allocated, &GroupSums::bytes), std::pair(RankBy::open, &GroupSums::open_bytes),
          std::pair(RankBy::at_peak, &GroupSums::at_peak)}) {
      options.by = by;
      Opened opened(history, options);
      const json d = json::parse(written_by([&](Output& out) { report_tree(opened.trace, options, out, nullptr); }));
      CHECK(d["total"] == want.at("").*value);
      std::string group;
      size_t groups = 0, stacks = 0;
      for (const json& node : d["nodes"]) {
        if (node["depth"] == 0) {
          group = node["group"]["name"];
          CHECK(node["value"] == want.at(group).*value);
          ++groups;
        } else {
          CHECK(node["depth"] == 1);
          CHECK(node["value"] == want_of_stacks.at(group + "|" + node["function"].template get<std::string>()).*value);
          ++stacks;
        }
      }
      const auto count = [&](const auto& sums) {
        return std::count_if(sums.begin(), sums.end(),
                             [&](const auto& one) { return !one.first.empty() && one.second.*value != 0; });
      };
      CHECK(groups == static_cast<size_t>(count(want)));
      CHECK(stacks == static_cast<size_t>(count(want_of_stacks)));
    }
  });
}

TEST_CASE("each thread's row is divided by group, and what is freed counts for who frees it", "[groups]") {
  for_each_question([](GroupHistory& history, const ReportOptions& options, const auto& key, const auto& domains) {
    if (options.group == GroupBy::thread) return;
    Opened opened(history, options);
    const json d = json::parse(written_by([&](Output& out) { report_threads(opened.trace, options, out, nullptr); }));
    auto want = history.sums(
        domains, [&](const GroupedBlock& block) { return std::to_string(block.thread) + "|" + key(block); });
    want.erase("");
    std::map<std::string, GroupSums> freed;
    for (const GroupedBlock& block : history.blocks) {
      if (!block.died || !domains.contains(block.domain)) continue;
      GroupSums& sums = freed[std::to_string(block.killer) + "|" + key(block)];
      ++sums.frees;
      sums.bytes_freed += block.size;
    }
    size_t parts = 0;
    for (const json& thread : d["threads"]) {
      uint64_t frees = thread["orphaned_frees"], bytes = 0;
      for (const json& part : thread["groups"]) {
        const std::string name = std::to_string(thread["thread"].template get<uint32_t>()) + "|" +
                                 part["group"]["name"].template get<std::string>();
        check_sums(want[name], sums_of(part));
        CHECK(part["frees"] == freed[name].frees);
        CHECK(part["bytes_freed"] == freed[name].bytes_freed);
        frees += part["frees"].template get<uint64_t>();
        bytes += part["bytes_allocated"].template get<uint64_t>();
        parts += part["allocations"] != 0;
      }
      CHECK(thread["frees"] == frees);
      CHECK(thread["bytes_allocated"] == bytes);
    }
    CHECK(parts == static_cast<size_t>(std::count_if(want.begin(), want.end(),
                                                     [](const auto& one) { return one.second.allocations != 0; })));
  });
}

TEST_CASE("a timeline by group has what is open of each at every time, and of all others together", "[groups]") {
  for_each_question([](GroupHistory& history, ReportOptions options, const auto& key, const auto& domains) {
    options.points = 17;
    options.top = 2;
    Opened opened(history, options);
    const auto report = [&] {
      return written_by([&](Output& out) { report_timeline(opened.trace, options, out, nullptr); });
    };
    const json d = json::parse(report());
    const auto open_at = [&](size_t interval, const std::string& group) {
      const uint64_t end = interval + 1 < 17 ? d["begin_ns"][interval + 1].template get<uint64_t>() : history.end + 1;
      return history.open_bytes_before(end, domains, key, group);
    };
    const auto want = history.sums(domains, key);
    CHECK(d["stacks"].size() == std::min<size_t>(2, want.size() - 1));
    std::vector<std::string> names;
    for (const json& part : d["stacks"]) {
      names.push_back(part["group"]["name"]);
      check_sums(
          {0, 0, want.at(names.back()).open, want.at(names.back()).open_bytes, want.at(names.back()).peak,
           want.at(names.back()).at_peak},
          {0, 0, part["open"]["chunks"], part["open"]["bytes"], part["peak"]["bytes"], part["at_peak"]["bytes"]});
    }
    for (size_t i = 0; i < 17; ++i) {
      uint64_t shown = 0;
      for (size_t part = 0; part < names.size(); ++part) {
        CHECK(d["stacks"][part]["series"]["open_bytes"][i] == open_at(i, names[part]));
        shown += open_at(i, names[part]);
      }
      uint64_t all = 0;
      for (const auto& [name, sums] : want)
        if (!name.empty()) all += open_at(i, name);
      CHECK(d["series"]["open_bytes"][i] == all);
      CHECK(d["rest"]["series"]["open_bytes"][i] == all - shown);
    }
    options.json = false;
    options.csv = true;
    std::string table = "begin_ns,end_ns,open_bytes";
    for (size_t part = 0; part < names.size(); ++part)
      table += "," + names[part] + (options.group == GroupBy::function ? " (/opt/liba.so)" : "");
    table += ",(others)\r\n";
    for (size_t i = 0; i < 17; ++i) {
      const json end = i + 1 < 17 ? d["begin_ns"][i + 1] : d["end_ns"];
      table += d["begin_ns"][i].dump() + "," + end.dump() + "," + d["series"]["open_bytes"][i].dump();
      for (const json& part : d["stacks"]) table += "," + part["series"]["open_bytes"][i].dump();
      table += "," + d["rest"]["series"]["open_bytes"][i].dump() + "\r\n";
    }
    CHECK(report() == table);
    options.csv = false;
    const std::string text = report();
    for (const std::string& name : names) CHECK_THAT(text, Catch::Contains("\n" + name));
    CHECK((text.find("all others together: ") != std::string::npos) == (want.size() > names.size() + 1));
  });
}

TEST_CASE("every line of chunks names its group", "[groups]") {
  for_each_question([](GroupHistory& history, ReportOptions options, const auto& key, const auto& domains) {
    options.chunks_domain = options.domain;
    Opened opened(history, options);
    std::istringstream lines(written_by([&](Output& out) { report_chunks(opened.trace, options, out, nullptr); }));
    size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const json chunk = json::parse(line);
      const size_t index = (std::stoull(chunk["address"].template get<std::string>(), nullptr, 16) - 0x10000) / 16;
      CHECK(chunk["group"]["by"] == group_name(options.group));
      CHECK(chunk["group"]["name"] == key(history.blocks.at(index)));
    }
    CHECK(count == history.sums(domains, key)[""].allocations);
  });
}

TEST_CASE("diff compares groups by name, and threads by theirs", "[groups]") {
  GroupHistory before(1), after(2);
  for (const auto& [by, key] : group_keys()) {
    for (const auto& [domain, domains] : domain_choices()) {
      CAPTURE(group_name(by), domain);
      ReportOptions options = json_options(by, domain);
      options.by = RankBy::allocated;
      Opened old_trace(before, options), new_trace(after, options);
      const auto report = [&, &by = by] {
        return written_by([&](Output& out) { report_diff(old_trace.trace, new_trace.trace, options, out, nullptr); });
      };
      const json d = json::parse(report());
      const GroupHistory::Key name =
          by == GroupBy::thread ? [](const GroupedBlock&) { return std::string("(no name)"); } : key;
      auto old_sums = before.sums(domains, name), new_sums = after.sums(domains, name);
      CHECK(d["old"]["total"]["bytes"] == old_sums.at("").bytes);
      old_sums.erase("");
      new_sums.erase("");
      CHECK(d["group"] == group_name(by));
      CHECK(d["sites"].size() == new_sums.size());
      for (const json& site : d["sites"]) {
        const std::string group = site["group"]["name"];
        CHECK(site["match"] == "exact");
        CHECK(site["old"]["bytes"] == old_sums.at(group).bytes);
        CHECK(site["old"]["blocks"] == old_sums.at(group).allocations);
        CHECK(site["new"]["bytes"] == new_sums.at(group).bytes);
        CHECK_FALSE(site.contains("stack"));
      }
      options.json = false;
      CHECK_THAT(report(), Catch::Contains(std::string("bytes allocated, by ") + group_name(by)));
    }
  }
}
