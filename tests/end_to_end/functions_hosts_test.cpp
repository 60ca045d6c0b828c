#include <catch2/catch.hpp>

#include <map>
#include <set>
#include <sstream>

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

namespace {

using Pages = std::set<uint64_t>;

void add_pages(Pages& pages, uint64_t begin, uint64_t end) {
  for (; begin < end; begin += 4096) pages.insert(begin);
}
uint64_t number(const Json& address) { return std::stoull(address.get<std::string>(), nullptr, 16); }

}  // namespace

TEST_CASE("what is mapped after thousands of calls, and of which kind, is what the kernel says", "[hosts][functions]") {
  const HostRun host({"random_mappings"});
  Pages mapped, open;
  std::map<uint64_t, std::string> kinds;  // by page
  std::istringstream lines(host.recorded().out);
  for (std::string line, word, begin, end, kind; std::getline(lines, line); kind.clear()) {
    std::istringstream(line) >> word >> begin >> end >> kind;
    Pages pages;
    add_pages(pages, std::stoull(begin, nullptr, 16), std::stoull(end, nullptr, 16));
    for (const uint64_t page : pages) kinds[page] = kind;
    mapped.merge(pages);
  }
  REQUIRE(mapped.size() > 100);
  uint64_t bytes = 0, wrong_kinds = 0;
  for (const Json& chunk : host.trace().chunks("open")) {
    const uint64_t address = number(chunk.at("address"));
    if (chunk.at("domain") != "mmap" || address < 0x200000000000 || address >= 0x201000000000) continue;
    const size_t before = open.size();
    uint64_t expected_bytes = 0;
    const std::string function = chunk.at("allocator");
    const std::string kind = function.find('-') == std::string::npos ? "" : function.substr(function.find('-'));
    const auto add = [&](uint64_t begin, uint64_t size) {
      add_pages(open, begin, begin + size);
      for (uint64_t page = begin; page < begin + size; page += 4096) wrong_kinds += kinds[page] != kind;
      expected_bytes += (size + 4095) & ~uint64_t{4095};
    };
    if (chunk.contains("left_over"))
      for (const Json& range : chunk.at("left_over")) add(number(range.at("address")), range.at("bytes"));
    else
      add(address, chunk.at("size"));
    CHECK((open.size() - before) * 4096 == expected_bytes);  // no page is in two regions
    bytes += expected_bytes;
  }
  CHECK(open == mapped);
  CHECK(bytes == mapped.size() * 4096);
  CHECK(wrong_kinds == 0);
}

TEST_CASE("shared and file-backed mappings are told apart", "[hosts][functions]") {
  std::map<std::pair<std::string, uint64_t>, int> found;  // by kind and pages
  const HostRun host({"kinds_of_mappings"});
  for (const Json& chunk : host.trace().chunks())
    if (chunk.at("domain") == "mmap")
      ++found[{chunk.at("allocator").get<std::string>() + " " + chunk.at("state").get<std::string>(),
               chunk.at("size").get<uint64_t>() / 4096}];
  decltype(found) wanted = {
      {{"mmap open", 1}, 1},
      {{"mmap-shared open", 2}, 1},
      {{"mmap-file open", 3}, 1},
      {{"mmap-shared-file open", 4}, 1},
      {{"mmap-shared-file open", 5}, 1},
      {{"mmap-shared open", 16}, 1},
      {{"mmap-shared-file closed", 3}, 1},
      {{"mremap-shared-file open", 20}, 1},
      {{"mmap-file closed", 3}, 1},
      {{"mremap-file open", 21}, 1},
      {{"mmap-file closed", 2}, 1},
      {{"mmap closed", 2}, 1},
      {{"mremap open", 22}, 1},
      {{"mmap-shared open", 1}, 1},
      {{"mremap-shared open", 1}, 1},
  };
  if (host.recorded().out == "segments\n") {
    wanted[{"shmat open", 7}] = 1;
    wanted[{"shmat closed", 7}] = 2;
    wanted[{"mmap closed", 7}] = 1;
    wanted[{"mremap-shared closed", 7}] = 1;
  }
  CHECK(found == wanted);
}

TEST_CASE("a filter for mmap takes every kind of mapping", "[hosts][functions]") {
  const HostRun host({"kinds_of_mappings"}, {"MEMPROF_FILTER=allocator=mmap"});
  CHECK(host.trace().chunks("open").size() == (host.recorded().out == "segments\n" ? 12 : 11));
  const HostRun one({"kinds_of_mappings"}, {"MEMPROF_FILTER=allocator=mmap-file"});
  CHECK(one.trace().chunks("open").size() == 1);
}
