#include <catch2/catch.hpp>

#include "host.h"

using namespace memprof::tests;

TEST_CASE("every C allocating function is recorded once, with its size, its name and its caller",
          "[hosts][functions]") {
  const HostRun host({"malloc_family"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("realloc of nothing, to nothing, that moves and that fails is exact", "[hosts][functions]") {
  const HostRun host({"realloc_corners"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("an allocation that fails is no event and sets the errno that it sets alone", "[hosts][functions]") {
  const HostRun host({"failing_allocations"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("usable sizes, alignment and the layout of the heap stay as they are", "[hosts][functions]") {
  const HostRun host({"block_layout"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("a call that succeeds leaves errno alone", "[hosts][functions]") {
  const HostRun host({"errno_kept"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("free_sized and free_aligned_sized end their blocks", "[hosts][functions]") {
  const HostRun host({"sized_free"});
  check_trace(host.trace(), host.recorded());
}

TEST_CASE("every operator new and delete is recorded under its own tag", "[hosts][functions]") {
  const HostRun host({"operator_new"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}

TEST_CASE("operator new that fails throws, returns null and calls its handler as it does alone", "[hosts][functions]") {
  const HostRun host({"operator_new_fails"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
}

TEST_CASE("each kind of mismatched free is seen, and no other", "[hosts][functions]") {
  const HostRun host({"mismatched_frees"});
  check_trace(host.trace(), host.recorded(), Runtime::cxx_or_threads);
  const std::vector<Json> chunks = host.trace().chunks();
  const auto mismatch = [&](size_t size, const char* allocator, const char* free_function) {
    return count_if(chunks, [&](const Json& chunk) {
             return chunk.at("size") == size && chunk.at("mismatched") == true && chunk.at("allocator") == allocator &&
                    chunk.at("free_function") == free_function;
           }) == 1;
  };
  CHECK(mismatch(1, "new", "free"));
  CHECK(mismatch(2, "new[]", "free"));
  CHECK(mismatch(3, "malloc", "delete"));
  CHECK(mismatch(4, "malloc", "delete[]"));
  CHECK(mismatch(5, "new", "delete[]"));
  CHECK(mismatch(6, "new[]", "delete"));
  CHECK(mismatch(7, "new", "realloc"));
}

TEST_CASE("mappings are counted in a domain of their own, in whole and in part", "[hosts][functions]") {
  const HostRun host({"mappings"});
  check_trace(host.trace(), host.recorded());
}
