#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

TEST_CASE("four threads that pass a million blocks to each other leave no orphan and nothing open",
          "[hosts][threads]") {
  for (int run = 0; run < 3; ++run) {
    const HostRun host({"threads_pass_blocks"});
    check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
  }
}

TEST_CASE("four threads that do a million reallocs leave no orphan and nothing open", "[hosts][threads]") {
  for (int run = 0; run < 3; ++run) {
    const HostRun host({"threads_realloc"});
    check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
  }
}

TEST_CASE("what a thread allocates and frees while it ends is recorded", "[hosts][threads]") {
  const HostRun host({"thread_exit"});
  const std::vector<Json> chunks = host.trace().chunks();
  // __cxa_thread_atexit's list of destructors is glibc's own, one entry a thread.
  const auto entries = [](const Json& chunk) { return chunk.at("allocator") == "calloc" && chunk.at("size") == 32; };
  const Outcome& said = host.recorded();
  CHECK(host.trace().orphans() == expected(said, "orphans"));
  const std::string rounds = "called_from.(anonymous namespace)::end_round(void*)";
  CHECK(count_if(chunks, [](const Json& chunk) { return caller(chunk).find("end_round") != std::string::npos; }) ==
        expected(said, rounds));
  CHECK(count_if(chunks, [&](const Json& chunk) { return !belongs_to_runtime(chunk) && !entries(chunk); }) ==
        expected(said, "allocations"));
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 61 && chunk.at("state") == "open"; }) ==
        expected(said, "open_sized.61"));
  CHECK(host.trace().dropped() == 0);
}

TEST_CASE("a thread with the smallest stack has room for the recorder", "[hosts][threads]") {
  for (const char* left : {"0", "4096", "2048"}) {
    INFO("bytes left of the stack: " << left);
    const HostRun host({"small_stacks", left});
    const Trace trace = host.trace();
    CHECK(count_if(trace.chunks(), [](const Json& chunk) { return chunk.at("size") == 333; }) ==
          (left == std::string("0") ? 0 : 20));
    check_trace(trace, host.recorded(), Runtime::cxx_or_threads);
  }
}

TEST_CASE("200 threads", "[hosts][threads]") {
  const HostRun host({"many_threads", "200", "50"});
  const Trace trace = host.trace();
  const std::vector<Json> chunks = trace.chunks();
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 1000; }) == 200);
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 100; }) == 1000);
  CHECK(trace.summary().at("trace").at("threads") == 201);
  CHECK(trace.orphans() == 0);
}

TEST_CASE("10,000 threads, 50 at a time", "[hosts][threads][long]") {
  const HostRun host({"many_threads", "10000", "50"});
  const Trace trace = host.trace();
  CHECK(trace.summary().at("trace").at("threads") == 10001);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK(trace.allocations() >= 60000);
  CHECK(count_if(trace.chunks("open"), [](const Json& chunk) { return !belongs_to_runtime(chunk); }) == 0);
}

TEST_CASE("1,000 threads at once", "[hosts][threads]") {
  const HostRun host({"many_threads", "1000", "1000"});
  const Trace trace = host.trace();
  CHECK(trace.summary().at("trace").at("threads") == 1001);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
}

TEST_CASE("main leaves by pthread_exit, its threads too, and the last one ends the process", "[hosts][threads]") {
  const HostRun host({"main_thread_leaves"});
  check_trace(host.trace(), host.recorded());
  CHECK(count_if(host.trace().chunks("open"), [](const Json& chunk) { return chunk.at("size") == 150; }) == 0);
}

TEST_CASE("a program that ends while its threads allocate ends as it does alone", "[hosts][threads]") {
  for (const char* how : {"exit", "_exit", "quick_exit"}) {
    const HostRun host({"exits_while_allocating", how});
    const Trace trace = host.trace();
    INFO(how);
    CHECK(trace.complete());
    CHECK(trace.unknown_orphans() == 0);
    CHECK(trace.allocations() >= 4 * 1000 * 10);
  }
}

TEST_CASE("threads that are cancelled between allocations leave nothing behind", "[hosts][threads]") {
  const HostRun host({"cancelled_threads"});
  const Trace trace = host.trace();
  CHECK(trace.orphans() == 0);
  CHECK(count_if(trace.chunks("open"), [](const Json& chunk) { return chunk.at("size") == 123; }) == 0);
}
