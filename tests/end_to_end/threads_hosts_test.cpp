#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "host.h"
#include "memprof/trace_format.h"

namespace format = memprof::format;
using namespace memprof::tests;

namespace {

// The streams of the event pages in the order of the file, 0 for a page that was claimed and not written.
std::vector<uint32_t> streams_in_file_order(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  format::FileHeader header;
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  std::vector<uint32_t> streams;
  for (uint64_t number = 1; number < (header.page_count & ~format::kPageCountClosed); ++number) {
    format::PageHeader page;
    file.seekg(static_cast<std::streamoff>(number * header.page_size));
    if (!file.read(reinterpret_cast<char*>(&page), sizeof page)) break;
    if (page.state == format::PageState::unwritten)
      streams.push_back(0);
    else if (page.kind == format::StreamKind::events)
      streams.push_back(page.stream_id);
  }
  return streams;
}

}  // namespace

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

TEST_CASE("threads that write much claim their pages in runs and leave few unwritten", "[hosts][threads]") {
  const HostRun host({"threads_realloc"});
  const std::vector<uint32_t> streams = streams_in_file_order(host.trace().path());
  std::map<uint32_t, uint64_t> pages;
  for (const uint32_t stream : streams) ++pages[stream];
  REQUIRE(pages.size() > 4);
  uint64_t adjacent = 0;
  for (size_t i = 1; i < streams.size(); ++i) adjacent += streams[i] != 0 && streams[i] == streams[i - 1];
  // The first eight pages of a stream come one by one, then two together, and so on to sixteen.
  CHECK(adjacent > streams.size() * 2 / 3);
  CHECK(pages[0] <= streams.size() / 8);
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
