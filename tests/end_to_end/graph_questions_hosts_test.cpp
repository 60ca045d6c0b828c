// `leaks --retained`, `--cycles` and `--who-points-at`: the graph's answers against what the program made.
#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;
using Catch::Matchers::Contains;

namespace {

using Words = std::vector<std::string>;

bool names(const Json& stack, const std::string& function) {
  return std::any_of(stack.begin(), stack.end(), [&](const Json& frame) {
    return frame.at("function").is_string() &&
           frame.at("function").get<std::string>().find(function) != std::string::npos;
  });
}

class RecordedCase {
 public:
  explicit RecordedCase(const std::string& name, const std::string& snapshot = "exit") {
    const Outcome outcome = run({{host_path("lost_and_held"), name},
                                 recording_environment({"MEMPROF_SNAPSHOT=" + snapshot}),
                                 directory_.path(),
                                 "",
                                 {}});
    REQUIRE(outcome.exit_status == 0);
  }

  Outcome leaks(Words options) const {
    options.insert(options.begin(), "leaks");
    options.push_back(directory_ / "trace.bin");
    return analyze(options);
  }
  Json json(Words options) const {
    options.push_back("--json");
    const Outcome outcome = leaks(options);
    INFO(outcome.err);
    REQUIRE(outcome.exit_status == 0);
    return Json::parse(outcome.out);
  }
  // Those that a function of the case allocated.
  std::vector<Json> chunks(const std::string& function) const {
    std::vector<Json> found;
    for (const Json& chunk : Trace(directory_ / "trace.bin").chunks("open"))
      if (names(chunk.at("stack"), function)) found.push_back(chunk);
    return found;
  }

 private:
  FreshDirectory directory_;
};

constexpr uint64_t kNodeBytes = 24;

}  // namespace

TEST_CASE("the pool retains what it points to", "[hosts][graph]") {
  const RecordedCase recorded("held_by_pool");
  const Json document = recorded.json({"--retained"});
  CHECK(document.at("schema") == "memprof.retained/1");
  CHECK(document.at("classified") == true);
  bool has_pool = false;
  for (const Json& site : document.at("stacks")) {
    if (!names(site.at("stack"), "held_by_pool") || site.at("own").at("chunks") != 1) continue;
    has_pool = true;
    CHECK(site.at("retained").at("chunks") == 101);
    CHECK(site.at("retained").at("bytes") == 200 * kNodeBytes);
    CHECK(site.at("reach").at("reachable") == 1);
  }
  CHECK(has_pool);
  const Outcome text = recorded.leaks({"--retained"});
  CHECK_THAT(text.out, Contains("4.69 KiB in 101 blocks, by 1 block of 2.34 KiB: 1 reachable"));
}

TEST_CASE("rings are told, with what made them", "[hosts][graph]") {
  const RecordedCase recorded("lost_ring");
  const Json document = recorded.json({"--cycles"});
  CHECK(document.at("schema") == "memprof.cycles/1");
  REQUIRE(document.at("cycles").size() == 1);
  const Json& ring = document.at("cycles").at(0);
  CHECK(ring.at("cycles") == 1);
  CHECK(ring.at("chunks") == 3);
  CHECK(ring.at("bytes") == 3 * kNodeBytes);
  CHECK(ring.at("longest") == 3);
  CHECK(names(ring.at("stacks").at(0).at("stack"), "lost_ring"));
  const Outcome text = recorded.leaks({"--cycles"});
  CHECK_THAT(text.out, Contains("1 cycle of up to 3 blocks: 72 B in 3 blocks, allocated at") && Contains("lost_ring"));
}

TEST_CASE("a list is no ring, nor is a ring that is in use", "[hosts][graph]") {
  for (const char* name : {"lost_list", "held_ring"}) {
    INFO(name);
    const RecordedCase recorded(name);
    CHECK(recorded.json({"--cycles"}).at("cycles").empty());
    CHECK_THAT(recorded.leaks({"--cycles"}).out, Contains("No lost block is in a cycle."));
  }
}

TEST_CASE("a block that points to itself is a ring of one", "[hosts][graph]") {
  const Json document = RecordedCase("points_to_itself").json({"--cycles"});
  REQUIRE(document.at("cycles").size() == 1);
  CHECK(document.at("cycles").at(0).at("chunks") == 1);
}

TEST_CASE("what points at a block is told by its address", "[hosts][graph]") {
  const RecordedCase recorded("held_block");
  const std::vector<Json> chunks = recorded.chunks("held_block");
  REQUIRE(chunks.size() == 1);
  const std::string address = chunks[0].at("address");
  const Json document = recorded.json({"--who-points-at", address});
  CHECK(document.at("schema") == "memprof.pointers/1");
  CHECK(document.at("chunks") == 1);
  CHECK(document.at("bytes") == 100);
  CHECK(document.at("reach").at("reachable") == 1);
  REQUIRE(document.at("holders").size() == 1);
  CHECK(document.at("holders").at(0).at("words") == 1);
  CHECK(document.at("holders").at(0).at("interior") == 0);
  const std::string root = document.at("holders").at(0).at("root");
  CHECK_THAT(root, Contains("data of ") && Contains("lost_and_held+0x"));
  CHECK(document.at("path").at("root") == root);
  CHECK(document.at("path").at("chunks").at(0).at("address") == address);
  const Outcome text = recorded.leaks({"--who-points-at", address});
  CHECK_THAT(text.out, Contains("100 B in 1 block: 1 reachable") && Contains(root + " (1 word)"));
}

TEST_CASE("what points at the blocks below a function is told, block by block", "[hosts][graph]") {
  const RecordedCase recorded("held_list");
  const Json document = recorded.json({"--who-points-at", "new_node"});
  CHECK(document.at("chunks") == 4);
  CHECK(document.at("bytes") == 4 * kNodeBytes);
  // The first by the program's data, each other one by the first word of the one before.
  uint64_t by_roots = 0, by_blocks = 0;
  for (const Json& holder : document.at("holders")) {
    if (holder.contains("root")) {
      by_roots += holder.at("words").get<uint64_t>();
      continue;
    }
    by_blocks += holder.at("words").get<uint64_t>();
    CHECK(holder.at("block").at("offset") == 0);
    CHECK(holder.at("block").at("size") == kNodeBytes);
  }
  CHECK(by_roots == 1);
  CHECK(by_blocks == 3);
}

TEST_CASE("a pointer to the middle is said to be one", "[hosts][graph]") {
  const RecordedCase recorded("held_by_middle");
  const Json document = recorded.json({"--who-points-at", "held_by_middle"});
  CHECK(document.at("reach").at("possible") == 1);
  REQUIRE(document.at("holders").size() == 1);
  CHECK(document.at("holders").at(0).at("interior") == 1);
  CHECK_THAT(recorded.leaks({"--who-points-at", "held_by_middle"}).out, Contains("(1 word, into the middle)"));
}

TEST_CASE("nothing points at what is lost", "[hosts][graph]") {
  const RecordedCase recorded("lost_block");
  const Json document = recorded.json({"--who-points-at", "lost_block"});
  CHECK(document.at("reach").at("definite") == 1);
  CHECK(document.at("holders").empty());
  CHECK(document.at("path").at("root").is_null());
  CHECK_THAT(recorded.leaks({"--who-points-at", "lost_block"}).out, Contains("Nothing points there."));
}

TEST_CASE("an address or a function of no block is refused", "[hosts][graph]") {
  const RecordedCase recorded("held_block");
  for (const char* target : {"0x10", "0xnonsense", "0x", "no_such_function", "/(/"}) {
    INFO(target);
    const Outcome outcome = recorded.leaks({"--who-points-at", target});
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.out == "");
    CHECK(outcome.err != "");
  }
}

TEST_CASE("without a snapshot the graph's questions are not answered, and why not is said", "[hosts][graph]") {
  const RecordedCase recorded("held_block", "never");
  for (const Words& question : std::vector<Words>{{"--retained"}, {"--cycles"}, {"--who-points-at", "held_block"}}) {
    INFO(question[0]);
    CHECK(recorded.leaks(question).out ==
          "Not classified: no snapshot of the memory was recorded (MEMPROF_SNAPSHOT=exit takes one).\n");
    const Json document = recorded.json(question);
    CHECK(document.at("classified") == false);
    CHECK(document.at("why") == "no snapshot of the memory was recorded (MEMPROF_SNAPSHOT=exit takes one)");
  }
}
