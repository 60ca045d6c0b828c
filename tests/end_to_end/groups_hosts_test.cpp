// Reports by domain, allocator and tag: their numbers are those of the blocks, which `chunks` prints.
#include <catch2/catch.hpp>

#include <map>
#include <sstream>

#include "host.h"

using namespace memprof::tests;

namespace {

struct Sums {
  uint64_t blocks = 0, bytes = 0, open_blocks = 0, open_bytes = 0;
  auto operator<=>(const Sums&) const = default;
};
using Groups = std::map<std::string, Sums>;

Outcome run(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = analyze(arguments);
  CHECK(outcome.err == "");
  REQUIRE(outcome.exit_status == 0);
  return outcome;
}

std::vector<Json> chunk_lines(const std::vector<std::string>& options) {
  std::istringstream lines(run({"chunks"}, options).out);
  std::vector<Json> chunks;
  for (std::string line; std::getline(lines, line);)
    if (Json chunk = Json::parse(line); chunk.at("state") != "orphaned") chunks.push_back(std::move(chunk));
  return chunks;
}

std::string group_of(const Json& chunk, const std::string& by) {
  if (by != "tag") return chunk.at(by).get<std::string>();
  return chunk.at("tags").empty() ? "(no tag)" : chunk.at("tags")[0].get<std::string>();
}

Groups groups_of_chunks(const std::string& by, const std::vector<std::string>& options) {
  Groups groups;
  for (const Json& chunk : chunk_lines(options)) {
    const uint64_t size = chunk.at("size").get<uint64_t>();
    const bool is_open = chunk.at("state") == "open";
    Sums& sums = groups[group_of(chunk, by)];
    ++sums.blocks;
    sums.bytes += size;
    sums.open_blocks += is_open;
    if (is_open) sums.open_bytes += size;
  }
  return groups;
}

Groups groups_of_stacks(const std::string& by, const std::vector<std::string>& options) {
  Groups groups;
  const Json document =
      Json::parse(run({"stacks", "--json", "--by", "allocations", "--top", "0", "--group", by}, options).out);
  for (const Json& site : document.at("stacks")) {
    CHECK(site.at("group").at("by") == by);
    groups[site.at("group").at("name").get<std::string>()] = {
        site.at("allocations").get<uint64_t>(), site.at("bytes_allocated").get<uint64_t>(),
        site.at("open").at("chunks").get<uint64_t>(), site.at("open").at("bytes").get<uint64_t>()};
  }
  return groups;
}

// The recording, a part of it, and that packed.
std::vector<std::string> traces_of(const HostRun& host) {
  const std::string whole = host.trace().path().string();
  const std::string part = (host.directory() / "part.bin").string();
  const std::string packed = (host.directory() / "packed.bin").string();
  REQUIRE(analyze({"strip", "--size", "<=4096", "-o", part, whole}).exit_status == 0);
  REQUIRE(analyze({"compress", "-o", packed, part}).exit_status == 0);
  return {whole, part, packed};
}

const std::vector<std::vector<std::string>> kChoices = {{"--domain", "all"},
                                                        {"--domain", "cpu", "--domain", "textures"},
                                                        {"--domain", "all", "--size", ">=60"},
                                                        {"--domain", "all", "--tag", "draw"}};

}  // namespace

TEST_CASE("groups by domain, allocator and tag have the numbers of their blocks", "[hosts][groups]") {
  const HostRun host({"client_calls", "mixes"});
  for (const std::string& trace : traces_of(host)) {
    for (std::vector<std::string> options : kChoices) {
      CAPTURE(trace, options);
      options.push_back(trace);
      for (const char* by : {"tag", "allocator", "domain"}) {
        const Groups groups = groups_of_stacks(by, options);
        CHECK(groups == groups_of_chunks(by, options));
        CHECK(groups.size() > (by == std::string("tag") && options[3] == "draw" ? 0 : 1));
      }
    }
  }
}

TEST_CASE("groups by domain are of all domains unless one is named", "[hosts][groups]") {
  const HostRun host({"client_calls", "mixes"});
  const std::string trace = host.trace().path().string();
  CHECK(groups_of_stacks("domain", {trace}) == groups_of_stacks("domain", {"--domain", "all", trace}));
  CHECK(groups_of_stacks("domain", {"--domain", "textures", trace}).size() == 1);
  CHECK(groups_of_stacks("tag", {trace}) == groups_of_stacks("tag", {"--domain", "cpu", trace}));
  const std::string text = run({"leaks", "--group", "tag", "--domain", "all"}, {trace}).out;
  CHECK_THAT(text, Catch::Contains("     draw\n") && Catch::Contains("     (no tag)\n"));
}

TEST_CASE("every report by group has the numbers of the blocks", "[hosts][groups]") {
  const HostRun host({"client_calls", "mixes"});
  for (const std::string& trace : traces_of(host)) {
    for (std::vector<std::string> options : kChoices) {
      CAPTURE(trace, options);
      options.push_back(trace);
      for (const std::string by : {"tag", "allocator", "domain"}) {
        const Groups want = groups_of_chunks(by, options);
        const auto document = [&](std::vector<std::string> command) {
          command.insert(command.end(), {"--json", "--top", "0", "--group", by});
          return Json::parse(run(command, options).out);
        };
        const auto name_of = [](const Json& entry) { return entry.at("group").at("name").get<std::string>(); };
        const Json summary = document({"summary"}), threads = document({"threads"}), timeline = document({"timeline"}),
                   tree = document({"tree", "--by", "allocated", "--min-percent", "0"});
        CHECK(summary.at("top").at("allocated").size() == want.size());
        for (const Json& site : summary.at("top").at("allocated"))
          CHECK(site.at("bytes_allocated") == want.at(name_of(site)).bytes);
        size_t roots = 0;
        for (const Json& node : tree.at("nodes")) {
          if (node.at("depth") != 0) continue;
          CHECK(node.at("value") == want.at(name_of(node)).bytes);
          ++roots;
        }
        CHECK(roots == want.size());
        for (const Json& part : timeline.at("stacks"))
          CHECK(part.at("series").at("open_bytes").back() == want.at(name_of(part)).open_bytes);
        uint64_t open = 0;
        for (const auto& [name, sums] : want) open += sums.open_bytes;
        CHECK(timeline.at("open").at("bytes") == open);
        Groups of_threads;
        for (const Json& thread : threads.at("threads"))
          for (const Json& part : thread.at("groups")) {
            Sums& sums = of_threads[name_of(part)];
            sums.blocks += part.at("allocations").get<uint64_t>();
            sums.bytes += part.at("bytes_allocated").get<uint64_t>();
            sums.open_blocks += part.at("open").at("chunks").get<uint64_t>();
            sums.open_bytes += part.at("open").at("bytes").get<uint64_t>();
          }
        CHECK(of_threads == want);
        std::vector<std::string> with_group = {"--group", by};
        with_group.insert(with_group.end(), options.begin(), options.end());
        for (const Json& chunk : chunk_lines(with_group)) CHECK(name_of(chunk) == group_of(chunk, by));
      }
    }
  }
}

TEST_CASE("diff by group compares two runs by tag, domain and the names of threads", "[hosts][groups]") {
  const HostRun host({"client_calls", "mixes"});
  const std::string trace = host.trace().path().string();
  for (const char* by : {"tag", "allocator", "domain", "thread"}) {
    const Json same = Json::parse(run({"diff", "--json", "--group", by, "--domain", "all"}, {trace, trace}).out);
    CHECK(same.at("counts").at("same") == same.at("sites").size());
    CHECK_FALSE(same.at("sites").empty());
  }
  const std::string text = run({"diff", "--group", "thread"}, {trace, trace}).out;
  CHECK_THAT(text, Catch::Contains("Nothing changed.") && Catch::Contains("2 threads"));
}

TEST_CASE("the gate judges the blocks of a tag or of a domain alone", "[hosts][groups]") {
  const HostRun host({"client_calls", "mixes"}, {"MEMPROF_SNAPSHOT=exit"});
  const auto check = [&](std::vector<std::string> options) {
    options.insert(options.begin(), "check");
    options.push_back(host.trace().path().string());
    return analyze(options);
  };
  const Outcome parse = check({"--tag", "parse", "--json"});
  CHECK(parse.exit_status == 1);
  const Json verdict = Json::parse(parse.out);
  CHECK_FALSE(verdict.at("findings").empty());
  for (const Json& finding : verdict.at("findings"))
    CHECK_THAT(finding.at("allocator").get<std::string>(), Catch::EndsWith(" parse"));
  CHECK(check({"--tag", "parse", "--domain", "cpu", "--max-allocations", "1000"}).exit_status == 1);
  CHECK(check({"--tag", "pars"}).exit_status == 2);
  CHECK_THAT(check({"--tag", "pars"}).err, Catch::Contains("did you mean parse?"));
  CHECK(check({"--domain", "textur"}).exit_status == 2);
  CHECK(check({"--domain", "textures"}).exit_status == 2);  // what is lost of it nobody can tell
  const Outcome none = check({"--tag", "valloc"});
  CHECK(none.exit_status == 1);
  CHECK_THAT(none.out, Catch::Contains("--tag valloc: no block of the trace is judged (--allow-unmatched"));
  CHECK(check({"--tag", "valloc", "--allow-unmatched"}).exit_status == 0);
  const std::vector<std::string> textures = {"--domain", "textures", "--fail-on", "none", "--max-peak"};
  const auto peak =
      Json::parse(
          analyze({"stacks", "--json", "--by", "peak", "--domain", "textures", host.trace().path().string()}).out)
          .at("total")
          .get<uint64_t>();
  const auto with_peak = [&](uint64_t most) {
    std::vector<std::string> options = textures;
    options.push_back(std::to_string(most));
    return check(options).exit_status;
  };
  CHECK(with_peak(peak) == 0);
  CHECK(with_peak(peak - 1) == 1);
}
