// Scopes of the client API: a program that has some, its trace, and what the gate says.
#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

namespace {

const std::string kAtExit = "MEMPROF_SNAPSHOT=exit";

// What `check` says with scopes alone deciding.
class Gate {
 public:
  explicit Gate(const std::string& scenario, const std::vector<std::string>& options = {"--fail-on", "none"})
      : host_({"has_scopes", scenario}, {kAtExit}) {
    std::vector<std::string> arguments = {"check", "--json"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    for (const Trace& trace : host_.traces()) arguments.push_back(trace.path().string());
    outcome_ = analyze(arguments);
    INFO(outcome_.err);
    verdict_ = Json::parse(outcome_.out);
  }

  int status() const { return outcome_.exit_status; }
  const std::string& warnings() const { return outcome_.err; }
  // "NAME QUANTITY FOUND > LIMIT", each on a line of its own.
  std::string broken() const {
    std::string text;
    for (const Json& limit : verdict_.at("broken_limits")) {
      CHECK(limit.at("rule") == "scope");
      text += limit.at("subject").get<std::string>() + " " + limit.at("quantity").get<std::string>() + " " +
              std::to_string(limit.at("found").get<uint64_t>()) + " > " +
              std::to_string(limit.at("limit").get<uint64_t>()) + "\n";
    }
    return text;
  }
  const HostRun& host() const { return host_; }
  std::string dump() const { return analyze({"dump", "--metadata", host_.trace().path().string()}).out; }

 private:
  HostRun host_;
  Outcome outcome_;
  Json verdict_;
};

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a leak counts for the scope that it was allocated in, and for no other", "[hosts][scopes]") {
  const Gate gate("one_leaks");
  CHECK(gate.broken() == "first blocks 1 > 0\nfirst bytes 300 > 0\n");
  CHECK(gate.status() == 1);
  CHECK(gate.warnings().empty());
  const std::string dump = gate.dump();
  CHECK(count_of(dump, " thread 1 bytes 0 blocks 0 first\n") == 1);
  CHECK(count_of(dump, " thread 1 bytes 0 blocks 0 second\n") == 1);
  CHECK(count_of(dump, "  scope_end ") == 2);
}

TEST_CASE("nested scopes have budgets of their own", "[hosts][scopes]") {
  CHECK(Gate("nested").broken() == "inner blocks 2 > 0\ninner bytes 20 > 0\n");
}

TEST_CASE("scopes of threads are apart", "[hosts][scopes]") {
  const Gate gate("threads");
  CHECK(gate.broken() == "worker 2 blocks 1 > 0\nworker 2 bytes 123 > 0\n");
  CHECK(count_of(gate.dump(), "  scope_begin ") == 201);
}

TEST_CASE("a scope may be the first thing that a thread does", "[hosts][scopes]") {
  CHECK(Gate("fresh_thread").broken() == "fresh blocks 1 > 0\nfresh bytes 77 > 0\n");
}

TEST_CASE("what another thread frees later has not leaked", "[hosts][scopes]") {
  const Gate gate("handed_over");
  CHECK(gate.broken().empty());
  CHECK(gate.status() == 0);
  CHECK(count_of(gate.dump(), "  scope_begin ") == 2);
}

TEST_CASE("scopes that are used wrongly are told, and nothing breaks", "[hosts][scopes]") {
  const Gate gate("wrong");
  CHECK(gate.host().recorded().out == "errno kept\n");
  CHECK(gate.broken() == "open blocks 1 > 0\nopen bytes 30 > 0\n");
  CHECK_THAT(gate.warnings(), Catch::Contains("memprof_scope_end: 2 calls in no scope of their thread\n") &&
                                  Catch::Contains("1 scope is never ended, so it lasts to the end of the trace "
                                                  "(the first: open)\n"));
  CHECK(count_of(gate.dump(), " " + std::string(1023, 'x') + "\n") == 1);
}

TEST_CASE("signal handlers may have scopes", "[hosts][scopes]") {
  const Gate gate("signals");
  CHECK(gate.broken().empty());
  CHECK(gate.warnings().empty());
  CHECK(count_of(gate.dump(), "  scope_end ") == 400);
}

TEST_CASE("a forked child begins outside of all scopes", "[hosts][scopes]") {
  const Gate gate("forks");
  CHECK(gate.broken() == "parent blocks 1 > 0\nparent bytes 19 > 0\n");
  CHECK(gate.warnings().empty());
}

TEST_CASE("a leak within a budget fails by its kind, unless only scopes are to decide", "[hosts][scopes]") {
  CHECK(Gate("nested", {}).status() == 1);
  const Gate gate("signals", {});  // its leak is in no scope
  CHECK(gate.broken().empty());
  CHECK(gate.status() == 1);
}

TEST_CASE("without a snapshot scopes cannot be judged, and the gate does not pass", "[hosts][scopes]") {
  const HostRun host({"has_scopes", "handed_over"}, {});
  const Outcome outcome = analyze({"check", "--fail-on", "none", host.trace().path().string()});
  CHECK(outcome.exit_status == 1);
  CHECK_THAT(outcome.out, Catch::Contains("not classified"));
  CHECK(analyze({"check", "--fail-on", "none", "--allow-unclassified", host.trace().path().string()}).exit_status == 0);
}

TEST_CASE("the text of the gate names the scope and its leak", "[hosts][scopes]") {
  const HostRun host({"has_scopes", "one_leaks"}, {kAtExit});
  const Outcome outcome = analyze({"check", "--fail-on", "none", host.trace().path().string()});
  CHECK_THAT(outcome.out, Catch::Contains("limits broken:\n"
                                          "  scope first (blocks): 1, over the limit of 0\n"
                                          "      by the definite leak at ") &&
                              Catch::Contains("  scope first (bytes): 300 B, over the limit of 0 B\n"));
}
