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
