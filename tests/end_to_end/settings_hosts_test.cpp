#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

namespace {

std::vector<Json> chunks_with_filter(const std::string& filter, const char* host_name = "operator_new") {
  const HostRun host({host_name}, {"MEMPROF_FILTER=" + filter});
  return host.trace().chunks();
}

uint64_t made_by(const std::vector<Json>& chunks, const std::string& allocator) {
  return count_if(chunks, [&](const Json& chunk) { return chunk.at("allocator") == allocator; });
}

bool all(const std::vector<Json>& chunks, const std::function<bool(const Json&)>& holds) {
  return !chunks.empty() && count_if(chunks, holds) == chunks.size();
}

bool born(const Json& chunk) { return chunk.at("state") != "orphaned"; }

}  // namespace

TEST_CASE("a bad setting costs one line on stderr and the default is used", "[hosts][settings]") {
  struct Bad {
    const char* name;
    const char* value;
  };
  for (const Bad& bad : {Bad{"MEMPROF_FILTER", "size"},
                         Bad{"MEMPROF_FILTER", "colour=red"},
                         Bad{"MEMPROF_FILTER", "allocator=mallok"},
                         Bad{"MEMPROF_FILTER", "size>=x"},
                         Bad{"MEMPROF_FILTER", "domain=cpu,"},
                         Bad{"MEMPROF_MAX_DEPTH", "0"},
                         Bad{"MEMPROF_MAX_DEPTH", "deep"},
                         Bad{"MEMPROF_MAX_DEPTH", "99999999999999999999"},
                         Bad{"MEMPROF_FREE_STACKS", "yes"},
                         Bad{"MEMPROF_FOLLOW_FORK", "2"},
                         Bad{"MEMPROF_START", "later"},
                         Bad{"MEMPROF_SNAPSHOT", "1"},
                         Bad{"MEMPROF_LIMIT", "10X"},
                         Bad{"MEMPROF_LIMIT", "0"},
                         Bad{"MEMPROF_PATCH", "no"},
                         Bad{"MEMPROF_VERBOSE", "loud"},
                         Bad{"MEMPROF_VERIFY_STACKS", "-1"},
                         Bad{"MEMPROF_OUTPUT", "trace.%q"},
                         Bad{"MEMPROF_OUTPUT", ""},
                         Bad{"MEMPROF_RUN", "0"},
                         Bad{"MEMPROF_RUN", "first"}}) {
    INFO(bad.name << "=" << bad.value);
    FreshDirectory directory;
    const Outcome outcome = run({{host_path("malloc_family")},
                                 recording_environment({std::string(bad.name) + "=" + bad.value}),
                                 directory.path(),
                                 "",
                                 {}});
    INFO(outcome.err);
    CHECK(outcome.exit_status == 7);
    CHECK(outcome.err.starts_with("memprof: "));
    CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
    CHECK(outcome.err.find(bad.name) != std::string::npos);
    CHECK(outcome.err.find(bad.value) != std::string::npos);
    check_trace(Trace(directory / "trace.bin"), outcome);
  }
}

TEST_CASE("a misspelled setting costs one line on stderr that names the nearest", "[hosts][settings]") {
  const std::vector<std::pair<std::string, std::string>> misspelled = {
      {"MEMPROF_OUTPT", "did you mean MEMPROF_OUTPUT?"},
      {"MEMPROF_MAXDEPTH", "did you mean MEMPROF_MAX_DEPTH?"},
      {"MEMPROF_FILTERS", "did you mean MEMPROF_FILTER?"},
      {"MEMPROF_FOLLOW_FROK", "did you mean MEMPROF_FOLLOW_FORK?"},
      {"MEMPROF_OPTION", "MEMPROF_OPTION: "},
      {"MEMPROF_", "MEMPROF_: there is no such setting\n"}};
  for (const auto& [name, said] : misspelled) {
    INFO(name);
    FreshDirectory directory;
    const Outcome outcome =
        run({{host_path("malloc_family")}, recording_environment({name + "=1"}), directory.path(), "", {}});
    INFO(outcome.err);
    CHECK(outcome.exit_status == 7);
    CHECK(outcome.err.starts_with("memprof: " + name + ": there is no such setting"));
    CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
    CHECK(outcome.err.find(said) != std::string::npos);
    check_trace(Trace(directory / "trace.bin"), outcome);
  }
}

TEST_CASE("LLVM's MEMPROF_OPTIONS is none of ours", "[hosts][settings]") {
  const HostRun host({"malloc_family"}, {"MEMPROF_OPTIONS=nonsense"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("a known name in other letters' case is told by the line", "[hosts][settings]") {
  const std::pair<const char*, const char*> kFilters[] = {{"domain=CPU", "; did you mean cpu?\n"},
                                                          {"size>=1,allocator=malloc|New", "; did you mean new?\n"}};
  for (const auto& [filter, line] : kFilters) {
    FreshDirectory directory;
    const Outcome outcome = run({{host_path("malloc_family")},
                                 recording_environment({std::string("MEMPROF_FILTER=") + filter}),
                                 directory.path(),
                                 "",
                                 {}});
    CHECK(outcome.exit_status == 7);
    CHECK_THAT(outcome.err, Catch::EndsWith(line));
  }
}

TEST_CASE("MEMPROF_FILTER by allocator, size and domain", "[hosts][settings]") {
  const std::vector<Json> only_arrays = chunks_with_filter("allocator=new[]");
  CHECK(made_by(only_arrays, "new[]") == 8);
  CHECK(all(only_arrays, [](const Json& chunk) { return !born(chunk) || chunk.at("allocator") == "new[]"; }));

  const std::vector<Json> both = chunks_with_filter("allocator=new");
  CHECK(made_by(both, "new") == 9);
  CHECK(made_by(both, "new[]") == 8);
  CHECK(made_by(both, "malloc") == 0);

  const std::vector<Json> large = chunks_with_filter("size>=100", "malloc_family");
  CHECK(all(large, [](const Json& chunk) { return !born(chunk) || chunk.at("size") >= 100; }));
  CHECK(count_if(large, born) == 5);

  const std::vector<Json> between = chunks_with_filter("size>50,size<=90", "malloc_family");
  CHECK(count_if(between, born) == 3);

  const std::vector<Json> exact = chunks_with_filter("domain=cpu,allocator=malloc|calloc,size=21", "malloc_family");
  CHECK(count_if(exact, born) == 2);

  const std::vector<Json> none = chunks_with_filter("domain=mmap", "malloc_family");
  CHECK(count_if(none, [](const Json& chunk) { return chunk.at("domain") == "cpu" && born(chunk); }) == 0);
}

TEST_CASE("a filtered trace has no unknown orphans", "[hosts][settings]") {
  const HostRun host({"malloc_family"}, {"MEMPROF_FILTER=size>=100"});
  CHECK(host.trace().unknown_orphans() == 0);
}

TEST_CASE("MEMPROF_MAX_DEPTH cuts stacks and marks them", "[hosts][settings]") {
  const HostRun host({"long_jumps"}, {"MEMPROF_MAX_DEPTH=5"});
  const std::vector<Json> chunks = host.trace().chunks();
  CHECK(all(chunks, [](const Json& chunk) { return chunk.at("stack").size() <= 5; }));
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("truncated") == true; }) >= 20 * 40);
  const HostRun whole({"long_jumps"});
  CHECK(count_if(whole.trace().chunks(),
                 [](const Json& chunk) { return caller(chunk) == "dive" && chunk.at("truncated") == true; }) == 0);
}

TEST_CASE("MEMPROF_START=paused records nothing until asked", "[hosts][settings]") {
  const HostRun host({"malloc_family"}, {"MEMPROF_START=paused"});
  CHECK(host.trace().allocations() == 0);
  CHECK(host.trace().frees() == 0);
}

TEST_CASE("MEMPROF_VERBOSE=1 says where the trace is", "[hosts][settings]") {
  FreshDirectory directory;
  const Outcome outcome =
      run({{host_path("malloc_family")}, recording_environment({"MEMPROF_VERBOSE=1"}), directory.path(), "", {}});
  CHECK(outcome.exit_status == 7);
  CHECK(outcome.err.find("trace.bin") != std::string::npos);
}

TEST_CASE("MEMPROF_VERIFY_STACKS finds no stack that libunwind sees otherwise", "[hosts][settings]") {
  for (const char* name : {"malloc_family", "operator_new", "long_jumps", "deep_throw", "thread_exit", "errno_kept"}) {
    INFO(name);
    const HostRun host({name}, {"MEMPROF_VERIFY_STACKS=1"});
    check_verified({host.trace()}, 10);
  }
}

TEST_CASE("MEMPROF_FREE_STACKS=1 changes nothing that the program sees", "[hosts][settings]") {
  const HostRun host({"malloc_family"}, {"MEMPROF_FREE_STACKS=1"});
  check_trace(host.trace(), host.recorded());
}
