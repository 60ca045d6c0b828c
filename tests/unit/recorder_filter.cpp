// MEMPROF_FILTER: what texts mean, and which are refused.
#include <catch2/catch.hpp>

#include <string>

#include "recorder/filter.h"

using memprof::Filter;
using memprof::parse_filter;
using memprof::parse_size;
using memprof::format::Function;

namespace {

Filter filter_of(const char* text) {
  Filter filter;
  REQUIRE(parse_filter(text, &filter));
  return filter;
}

bool refuses(const char* text) {
  Filter filter;
  return !parse_filter(text, &filter);
}

}  // namespace

TEST_CASE("without a filter everything is recorded", "[filter]") {
  CHECK(Filter{}.accepts(Function::malloc, 0));
  CHECK(Filter{}.accepts(Function::mmap, UINT64_MAX));
}

TEST_CASE("allocators are alternatives joined by bars", "[filter]") {
  const Filter filter = filter_of("allocator=malloc|new[]");
  CHECK(filter.accepts(Function::malloc, 1));
  CHECK(filter.accepts(Function::operator_new_array, 1));
  CHECK_FALSE(filter.accepts(Function::operator_new, 1));
  CHECK_FALSE(filter.accepts(Function::calloc, 1));
}

TEST_CASE("new names new[] too, new[] itself alone", "[filter]") {
  const Filter both = filter_of("allocator=malloc|new");
  CHECK(both.accepts(Function::operator_new, 1));
  CHECK(both.accepts(Function::operator_new_array, 1));
  const Filter arrays = filter_of("allocator=new[]");
  CHECK_FALSE(arrays.accepts(Function::operator_new, 1));
  CHECK(arrays.accepts(Function::operator_new_array, 1));
}

TEST_CASE("an allocator chooses among the functions of the client API as among others", "[filter]") {
  CHECK(filter_of("size>=1").accepts_client(Function::pool_alloc, 1, true, false));
  for (const char* const text : {"allocator=jemalloc", "allocator=mmap", "allocator=realloc", "allocator=malloc"}) {
    CAPTURE(text);
    for (const Function function : {Function::track_alloc, Function::track_realloc, Function::pool_alloc})
      CHECK_FALSE(filter_of(text).accepts_client(function, 1, true, false));
  }
  const Filter pools = filter_of("domain=gpu,allocator=pool_alloc");
  CHECK(pools.accepts_client(Function::pool_alloc, 1, true, false));
  CHECK_FALSE(pools.accepts_client(Function::pool_alloc, 1, false, false));
  CHECK_FALSE(pools.accepts_client(Function::track_alloc, 1, true, false));
}

TEST_CASE("a known name in other letters' case is refused, and told", "[filter]") {
  const auto meant_by = [](const char* text) {
    Filter filter;
    const char* meant = nullptr;
    CHECK_FALSE(parse_filter(text, &filter, &meant));
    return std::string(meant != nullptr ? meant : "");
  };
  CHECK(meant_by("domain=CPU") == "cpu");
  CHECK(meant_by("size>=1,domain=moon|Gpu") == "gpu");
  CHECK(meant_by("allocator=Malloc") == "malloc");
  CHECK(meant_by("allocator=malloc|NEW[]") == "new[]");
  CHECK(meant_by("allocator=JeMalloc") == "jemalloc");
  CHECK(meant_by("allocator=cudamalloc") == "cudaMalloc");
  CHECK(meant_by("allocator=nomalloc").empty());
}

TEST_CASE("memalign names all aligned functions", "[filter]") {
  const Filter filter = filter_of("allocator=memalign");
  CHECK(filter.accepts(Function::posix_memalign, 1));
  CHECK(filter.accepts(Function::pvalloc, 1));
  CHECK_FALSE(filter.accepts(Function::malloc, 1));
}

TEST_CASE("conditions joined by commas must all hold", "[filter]") {
  const Filter filter = filter_of("domain=cpu,allocator=malloc|mmap,size>=4096");
  CHECK(filter.accepts(Function::malloc, 4096));
  CHECK_FALSE(filter.accepts(Function::malloc, 4095));
  CHECK_FALSE(filter.accepts(Function::mmap, 4096));
}

TEST_CASE("sizes compare exactly and take K, M and G", "[filter]") {
  CHECK(filter_of("size>2K").accepts(Function::malloc, 2049));
  CHECK_FALSE(filter_of("size>2K").accepts(Function::malloc, 2048));
  CHECK(filter_of("size<10").accepts(Function::malloc, 9));
  CHECK_FALSE(filter_of("size<10").accepts(Function::malloc, 10));
  CHECK(filter_of("size<=10").accepts(Function::malloc, 10));
  CHECK(filter_of("size=1M").accepts(Function::malloc, 1 << 20));
  CHECK_FALSE(filter_of("size=1M").accepts(Function::malloc, (1 << 20) - 1));
  const Filter between = filter_of("size>=16,size<=32");
  CHECK_FALSE(between.accepts(Function::malloc, 15));
  CHECK(between.accepts(Function::malloc, 32));
  CHECK_FALSE(between.accepts(Function::malloc, 33));
}

TEST_CASE("a text that is no filter is refused", "[filter]") {
  for (const char* text :
       {"", ",", "size", "size>=", "size>=x", "size>=4KB", "size>=-1", "allocator=", "allocator=nomalloc",
        "allocator=malloc|", "allocator=|malloc", "domain=", "domain=cpu,domain=gpu", "tag=", "colour=red",
        "allocator>malloc", "size>=4096,", "size<0", "size>=99999999999999999999"}) {
    CAPTURE(text);
    CHECK(refuses(text));
  }
}

TEST_CASE("tags and domains of the program are asked for by name", "[filter]") {
  const Filter filter = filter_of("domain=cpu|moon,tag=parse|lex,size>=10");
  CHECK(filter.accepts(Function::malloc, 10, true));
  CHECK_FALSE(filter.accepts(Function::malloc, 10, false));
  CHECK_FALSE(filter.accepts(Function::mmap, 10, true));
  CHECK(filter.accepts_client(Function::track_alloc, 10, true, true));
  CHECK_FALSE(filter.accepts_client(Function::track_alloc, 9, true, true));
  CHECK_FALSE(filter.accepts_client(Function::track_alloc, 10, false, true));
  CHECK(memprof::names_contain(filter.domains.c_str(), "moon", 4));
  CHECK_FALSE(memprof::names_contain(filter.domains.c_str(), "moo", 3));
  CHECK_FALSE(memprof::names_contain(filter.tags.c_str(), "parse|lex", 9));
}

TEST_CASE("while paused nothing is accepted", "[filter]") {
  Filter filter;
  filter.paused = true;
  CHECK_FALSE(filter.accepts(Function::malloc, 100));
}

TEST_CASE("a size that does not fit 64 bits is refused", "[filter]") {
  uint64_t bytes = 0;
  CHECK(parse_size("17179869183G", &bytes));
  CHECK(bytes == 17179869183u * (uint64_t{1} << 30));
  CHECK_FALSE(parse_size("17179869184G", &bytes));
  CHECK_FALSE(parse_size("K", &bytes));
}
