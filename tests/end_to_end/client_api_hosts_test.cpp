// The client API: what a program says of its blocks, and what the trace has of it.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <sstream>

#include "host.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

// "STATE DOMAIN ALLOCATOR FREE_FUNCTION SIZE [TAG] (TYPE)" of each block, sorted. Of the heap only those that have a
// tag or a type: the rest is the runtime's.
std::vector<std::string> blocks_of(const std::filesystem::path& trace) {
  const Outcome chunks = analyze({"chunks", trace.string()});
  REQUIRE(chunks.exit_status == 0);
  std::vector<std::string> blocks;
  std::istringstream lines(chunks.out);
  const auto text = [](const Json& value) { return value.is_null() ? "-" : value.get<std::string>(); };
  for (std::string line; std::getline(lines, line);) {
    const Json chunk = Json::parse(line);
    const std::string tag = chunk.at("tags").empty() ? "" : " [" + text(chunk.at("tags")[0]) + "]";
    const std::string type = chunk.contains("type") ? " (" + text(chunk.at("type")) + ")" : "";
    if (chunk.at("domain") == "cpu" && tag.empty() && type.empty()) continue;
    const std::string size = chunk.at("size").is_null() ? "-" : chunk.at("size").dump();
    blocks.push_back(text(chunk.at("state")) + " " + text(chunk.at("domain")) + " " + text(chunk.at("allocator")) +
                     " " + text(chunk.at("free_function")) + " " + size + tag + type);
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

// "SIZE [TAG]" of the blocks of the heap that have a tag, and how many there are.
using SizesAndTags = std::map<std::string, size_t>;
SizesAndTags sizes_and_tags(const std::filesystem::path& trace) {
  SizesAndTags counts;
  for (const std::string& block : blocks_of(trace)) ++counts[block.substr(block.find_first_of("0123456789"))];
  return counts;
}
std::vector<std::string> names_of(const SizesAndTags& counts) {
  std::vector<std::string> names;
  for (const auto& [name, count] : counts) names.push_back(name);
  return names;
}

std::vector<std::string> times(size_t count, const std::string& line) { return std::vector<std::string>(count, line); }

std::string summary_of(const HostRun& host) { return analyze({host.trace().path().string()}).out; }

// The same program, linked to run at any address or at one alone: weak symbols would be dead in the latter.
std::string any_host() { return GENERATE("client_calls", "client_calls_fixed"); }

}  // namespace

TEST_CASE("blocks that memprof does not see are recorded in the domain that the program names", "[hosts][client]") {
  const HostRun host({any_host(), "blocks"});
  CHECK(blocks_of(host.trace().path()) == std::vector<std::string>{"closed gpu track_alloc track_realloc 64",
                                                                   "closed textures track_alloc track_free 4096",
                                                                   "open gpu track_alloc - 256",
                                                                   "open gpu track_realloc - 128"});
  const Outcome stacks = analyze({"stacks", "--domain", "textures", "--by", "allocated", host.trace().path().string()});
  CHECK_THAT(stacks.out, Catch::Contains("blocks()") && Catch::Contains("client_calls.cpp"));
  CHECK_THAT(analyze({"dump", "--metadata", host.trace().path().string()}).out, Catch::Contains(" begin\n"));
}

TEST_CASE("groups name who calls the client API, not its own functions", "[hosts][client]") {
  const auto groups = [](const HostRun& host, const std::string& by, const std::string& domain) {
    return analyze({"stacks", "--group", by, "--domain", domain, "--by", "allocated", host.trace().path().string()})
        .out;
  };
  const HostRun blocks({"client_calls_o0", "blocks"});
  CHECK_THAT(groups(blocks, "function", "textures"), Catch::Contains("blocks()") && !Catch::Contains("memprof_"));
  CHECK_THAT(groups(blocks, "file", "gpu"), Catch::Contains("client_calls.cpp") && !Catch::Contains("memprof.h"));
  const HostRun pools({"client_calls_o0", "resources"});
  CHECK_THAT(groups(pools, "function", "pool"), Catch::Contains("resources()") && !Catch::Contains("memprof::"));
  const HostRun tags({"client_calls_o0", "tags"});
  CHECK_THAT(groups(tags, "function", "cpu"), Catch::Contains("tags()") && !Catch::Contains("memprof::"));
}

TEST_CASE("blocks have the innermost tag of their thread, and the last type they were given", "[hosts][client]") {
  const HostRun host({any_host(), "tags"});
  const std::vector<std::string> blocks = blocks_of(host.trace().path());
  CHECK(blocks == std::vector<std::string>{"closed cpu malloc free 51 [parse]", "closed cpu malloc realloc 21 [lex]",
                                           "closed cpu new delete 96 [shapes] (Shape)",
                                           "closed cpu realloc free 22 [lex]", "open cpu malloc - 100 [parse] (Word)"});
  const std::string trace = host.trace().path().string();
  CHECK_THAT(analyze({"stacks", "--group", "type", "--by", "allocated", trace}).out,
             Catch::Contains("     Word\n     100 B allocated in 1") && Catch::Contains("     Shape\n     96 B"));
  CHECK_THAT(analyze({"stacks", "--tag", "parse", "--by", "allocated", trace}).out, Catch::Contains("151 B"));
  // A trace without the temporary blocks still says what the others are.
  const std::string stripped = (host.directory() / "stripped.bin").string();
  REQUIRE(analyze({"strip", "--size", ">=60", "-o", stripped, trace}).exit_status == 0);
  CHECK(blocks_of(stripped) ==
        std::vector<std::string>{"closed cpu new delete 96 [shapes] (Shape)", "open cpu malloc - 100 [parse] (Word)"});
}

TEST_CASE("each thread has tags of its own", "[hosts][client]") {
  const HostRun host({any_host(), "threads"});
  std::vector<std::string> freed;
  for (const std::string& block : blocks_of(host.trace().path()))
    if (block.find("malloc free 6") != std::string::npos) freed.push_back(block);
  CHECK(freed == std::vector<std::string>{"closed cpu malloc free 62 [other]", "closed cpu malloc free 63 [main]"});
}

#if defined(__x86_64__)
TEST_CASE("a handler that pushes and pops between any two instructions changes no tag but its own", "[hosts][client]") {
  const HostRun host({"steps_through_tags", "balanced"});
  const SizesAndTags counts = sizes_and_tags(host.trace().path());
  CHECK(counts.at("21 [step]") > 0);
  CHECK(counts.at("22 [outer]") > 0);
  CHECK(counts.at("31 [handler]") > 1000);
  for (const char* const tag : {"[outer]", "[step]"}) {
    CHECK(counts.at(std::string("30 ") + tag) > 100);
    CHECK(counts.at(std::string("30 ") + tag) == counts.at(std::string("32 ") + tag));
  }
  CHECK(names_of(counts) == std::vector<std::string>{"21 [step]", "22 [outer]", "30 [outer]", "30 [step]",
                                                     "31 [handler]", "32 [outer]", "32 [step]"});
}

TEST_CASE("a handler that leaves its tag pushed comes before a push or a pop, or after it", "[hosts][client]") {
  const HostRun host({"steps_through_tags", "left"});
  const SizesAndTags counts = sizes_and_tags(host.trace().path());
  CHECK(counts.at("41 [left]") > 10);
  CHECK(counts.at("41 [step]") > 10);
  CHECK(counts.at("41 [left]") == counts.at("42 [step]"));
  CHECK(counts.at("41 [step]") == counts.at("42 [left]"));
  CHECK(names_of(counts) == std::vector<std::string>{"41 [left]", "41 [step]", "42 [left]", "42 [step]", "43 [outer]",
                                                     "44 [left]", "44 [step]", "45 [outer]"});
}

TEST_CASE("a handler that jumps out of a push or a pop leaves it done or not begun", "[hosts][client]") {
  const HostRun host({"steps_through_tags", "jumped"});
  const SizesAndTags counts = sizes_and_tags(host.trace().path());
  CHECK(counts.at("51 [step]") > 0);
  CHECK(counts.at("51 [step]") == counts.at("53 [step]"));
  CHECK(counts.at("51 [outer]") == counts.at("53 [outer]"));
  CHECK(names_of(counts) ==
        std::vector<std::string>{"51 [outer]", "51 [step]", "52 [after]", "53 [outer]", "53 [step]"});
}
#endif

TEST_CASE("a pool's reset and its end free all of its blocks", "[hosts][client]") {
  const HostRun host({any_host(), "pools"});
  std::vector<std::string> wanted = times(999, "closed pool pool_alloc pool_reset 48 [arena]");
  wanted.insert(wanted.begin(),
                {"closed pool pool_alloc pool_free 11 [kept]", "closed pool pool_alloc pool_free 48 [arena]",
                 "closed pool pool_alloc pool_reset 10 [arena]"});
  wanted.push_back("open pool pool_alloc - 12 [kept]");
  CHECK(blocks_of(host.trace().path()) == wanted);
}

TEST_CASE("a tracked memory resource is a pool", "[hosts][client]") {
  const HostRun host({any_host(), "resources"});
  CHECK(blocks_of(host.trace().path()) == std::vector<std::string>{"closed pool pool_alloc pool_free 33 [strings]",
                                                                   "closed pool pool_alloc pool_reset 44 [strings]"});
}

TEST_CASE("a tracked allocator does what the one that it wraps does", "[hosts][client]") {
  for (const char* const compiler : {"gxx", "clangxx"})
    for (const char* const standard : {"17", "20"}) {
      const std::string name = std::string("tracked_containers_") + compiler + standard;
      INFO(name);
      if (!std::filesystem::exists(host_path(name))) {
        skip(std::string(compiler) + " is not installed");
        continue;
      }
      const HostRun host({name});
      CHECK(host.native().out == "0 problems\n");
      CHECK(host.recorded().out == "0 problems\n");
    }
}

TEST_CASE("mistakes are counted and told, and do nothing", "[hosts][client]") {
  const HostRun host({any_host(), "mistakes"});
  CHECK(blocks_of(host.trace().path()).empty());
  const std::string summary = summary_of(host);
  CHECK_THAT(summary, Catch::Contains("CLIENT API: 2 calls did nothing: of a pool that does not exist, or no more\n") &&
                          Catch::Contains("CLIENT API: 1 call did nothing: memprof_pool_free of a block") &&
                          Catch::Contains("CLIENT API: 2 calls did nothing: of a domain that is not defined") &&
                          Catch::Contains("CLIENT API: 1 call did nothing: memprof_pop_tag without"));
}

TEST_CASE("an empty name is a mistake where a name is needed, and told as one", "[hosts][client]") {
  const HostRun host({any_host(), "empty_names"});
  CHECK(blocks_of(host.trace().path()) ==
        std::vector<std::string>{"closed cpu malloc free 71 [outer]", "closed cpu malloc free 71 [outer]",
                                 "closed pool pool_alloc pool_reset 72", "closed pool pool_alloc pool_reset 72"});
  CHECK(host.trace().summary().at("client_api_misuse") == Json{{"empty_name", 6}});
  CHECK_THAT(summary_of(host),
             Catch::Contains("CLIENT API: 6 calls did nothing: a tag, type or domain without a name\n"));
}

TEST_CASE("types that are given where no block is are counted", "[hosts][client]") {
  const HostRun host({any_host(), "types"});
  CHECK(blocks_of(host.trace().path()) == std::vector<std::string>{"closed cpu malloc free 81 (Second)",
                                                                   "closed gpu track_alloc track_free 82 (Texture)"});
  CHECK(host.trace().summary().at("client_api_misuse") == Json{{"type_without_block", 3}});
  CHECK_THAT(summary_of(host),
             Catch::Contains("CLIENT API: 3 calls did nothing: a type for an address where no block was\n"));
}

TEST_CASE("what a domain has no room for is in no other one", "[hosts][client]") {
  const HostRun host({"client_calls", "domains"});
  std::vector<std::string> named, built_in;
  for (const std::string& block : blocks_of(host.trace().path()))
    (block.find(" domain ") != std::string::npos ? named : built_in).push_back(block);
  CHECK(built_in == std::vector<std::string>{"open external track_alloc - 92"});
  CHECK(named.size() > 64'000);
  const Json misuses = host.trace().summary().at("client_api_misuse");
  CHECK(misuses.at("too_many").get<size_t>() + misuses.at("unknown_domain").get<size_t>() >= 66'000 - named.size());
}

TEST_CASE("a block of 2^56 bytes or more is a mistake, and nothing else is lost by it", "[hosts][client]") {
  const HostRun host({any_host(), "sizes"});
  CHECK(blocks_of(host.trace().path()) == std::vector<std::string>{"closed pool pool_alloc pool_reset 10 [arena]",
                                                                   "open gpu track_alloc - 72057594037927935"});
  CHECK(host.trace().dropped() == 0);
  CHECK_THAT(summary_of(host), Catch::Contains("CLIENT API: 9 calls did nothing: of a block of 2^56 bytes or more\n") &&
                                   !Catch::Contains("DAMAGED"));
}

TEST_CASE("a forked child's trace knows the names that its parent gave", "[hosts][client]") {
  const HostRun host({any_host(), "forks"});
  CHECK(blocks_of(host.trace().path()) ==
        std::vector<std::string>{"closed cpu malloc free 31 [parent]", "open pool pool_alloc - 70 [shared]"});
  const std::vector<Trace> children = host.traces_of_children();
  REQUIRE(children.size() == 1);
  CHECK(blocks_of(children[0].path()) ==
        std::vector<std::string>{"closed cpu malloc free 32 [parent]", "closed pool pool_alloc pool_reset 71 [shared]",
                                 "open cpu malloc - 34 [parent] (Child)", "orphaned pool - pool_reset -"});
}

TEST_CASE("a filter chooses by tag and by a domain of the program's", "[hosts][client]") {
  const HostRun tags({"client_calls", "tags"}, {"MEMPROF_FILTER=tag=lex|shapes"});
  CHECK(blocks_of(tags.trace().path()) == std::vector<std::string>{"closed cpu malloc realloc 21 [lex]",
                                                                   "closed cpu new delete 96 [shapes] (Shape)",
                                                                   "closed cpu realloc free 22 [lex]"});
  const HostRun domains({"client_calls", "blocks"}, {"MEMPROF_FILTER=domain=textures"});
  CHECK(blocks_of(domains.trace().path()) == std::vector<std::string>{"closed textures track_alloc track_free 4096"});
  const auto recorded = [](const char* what, const std::string& filter) {
    return blocks_of(HostRun({"client_calls", what}, {"MEMPROF_FILTER=" + filter}).trace().path());
  };
  for (const char* const allocator : {"jemalloc", "mmap", "realloc", "malloc|new", "pool_alloc"}) {
    INFO(allocator);
    CHECK(recorded("blocks", std::string("allocator=") + allocator).empty());
  }
  CHECK(recorded("blocks", "allocator=track_realloc") == std::vector<std::string>{"open gpu track_realloc - 128"});
  CHECK(recorded("pools", "allocator=track_alloc").empty());
  CHECK(recorded("pools", "allocator=pool_alloc,size<=12").size() == 3);
  const HostRun gpu({"client_calls", "blocks"}, {"MEMPROF_FILTER=domain=gpu,size>100"});
  CHECK(blocks_of(gpu.trace().path()) ==
        std::vector<std::string>{"open gpu track_alloc - 256", "open gpu track_realloc - 128"});
}
