// The language of the filters: names, numbers, times.
#include <catch2/catch.hpp>

#include "report/moment.h"
#include "report/name_pattern.h"
#include "report/number_range.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;

namespace {

NamePattern pattern(std::string_view text) {
  std::string problem;
  NamePattern parsed = NamePattern::parse(text, problem);
  REQUIRE(problem == "");
  return parsed;
}

std::string problem_of(std::string_view text) {
  std::string problem;
  NamePattern::parse(text, problem);
  return problem;
}

bool is_function(std::string_view text, std::string_view name) { return pattern(text).matches_function(name); }

}  // namespace

TEST_CASE("a function is meant as people type it", "[filters]") {
  const std::string name = "int app::ns::open_session<char, 3>(char const*, std::vector<int> const&)";
  for (const char* text :
       {"open_session", "ns::open_session", "app::ns::open_session", "open_*", "open_sessio?", "*::open_session",
        "app::*", "int app::*", "*vector<int>*", "/open_(session|file)/", "/^int app::/", "/const&\\)$/"}) {
    CAPTURE(text);
    CHECK(is_function(text, name));
  }
  for (const char* text : {"session", "pp::ns::open_session", "open", "open_session(", "ns::*", "open_?", "*session_*",
                           "/^app/", "OPEN_SESSION", "open_session<char, 3>x"}) {
    CAPTURE(text);
    CHECK_FALSE(is_function(text, name));
  }
  CHECK(is_function(name, name));
  CHECK(is_function("f(int)", "f(int)"));
  CHECK(is_function("operator[]", "std::map<int, int>::operator[](int const&)"));
  CHECK(is_function("operator()", "ns::Call::operator()(int) const"));
  CHECK(is_function("g", "(anonymous namespace)::g(int)"));
  CHECK(is_function("libx.so+0x1204", "libx.so+0x1204"));
  CHECK(is_function("malloc", "malloc"));
  CHECK_FALSE(is_function("malloc", "my_malloc"));
}

TEST_CASE("files are paths or their last parts, modules without their version too", "[filters]") {
  const std::string path = "/home/me/app/src/cache/lru.cpp";
  for (const char* text : {"lru.cpp", "cache/lru.cpp", "src/cache/lru.cpp", "/home/me/app/src/cache/lru.cpp", "*.cpp",
                           "lru.*", "/home/*", "*/src/*", "/cache/"})
    CHECK(pattern(text).matches_path(path));
  for (const char* text : {"ru.cpp", "lru", "cache", "src/*", "*.c", "/home/me/app"})
    CHECK_FALSE(pattern(text).matches_path(path));
  CHECK(pattern("libfoo.so").matches_module("/usr/lib/libfoo.so.1.2"));
  CHECK(pattern("libfoo.so.1.2").matches_module("/usr/lib/libfoo.so.1.2"));
  CHECK(pattern("lib*").matches_module("/usr/lib/libfoo.so.1.2"));
  CHECK_FALSE(pattern("libfoo.so.1").matches_module("/usr/lib/libfoo.so.1.2"));
  CHECK_FALSE(pattern("foo").matches_module("/usr/lib/libfoo.so.1.2"));
}

TEST_CASE("any wanted pattern may match, no negated one may", "[filters]") {
  std::string problem;
  const NamePatterns both = parse_patterns({"a*", "b*", "!*x"}, problem);
  const auto chosen = [](const NamePatterns& patterns, std::string_view name) {
    return patterns.choose([&](const NamePattern& p) { return p.matches(name); });
  };
  CHECK(chosen(both, "a1"));
  CHECK(chosen(both, "b1"));
  CHECK_FALSE(chosen(both, "c1"));
  CHECK_FALSE(chosen(both, "ax"));
  const NamePatterns negated = parse_patterns({"!a*", "!b*"}, problem);
  CHECK(chosen(negated, "c"));
  CHECK_FALSE(chosen(negated, "b"));
  CHECK(problem == "");
}

TEST_CASE("what is no pattern is said", "[filters]") {
  CHECK_THAT(problem_of(""), Contains("empty"));
  CHECK_THAT(problem_of("!"), Contains("empty"));
  CHECK_THAT(problem_of(std::string(5000, 'a')), Contains("too long"));
  CHECK_THAT(problem_of("/a(b/"), Contains("missing )"));
  CHECK_THAT(problem_of("/(a)\\1/"), Contains("invalid"));
  CHECK(problem_of("[") == "");  // a letter
  CHECK(problem_of("/") == "");
  CHECK(pattern("/usr").is_word());
}

TEST_CASE("long and hostile names are matched in linear time and no stack", "[filters][hostile]") {
  const std::string name = "f<" + std::string(1 << 20, 'a') + ">()\xff" + std::string(1, '\0') + "\n";
  CHECK_FALSE(is_function("/(a*)*b$/", name));
  CHECK_FALSE(is_function("/(a|aa)+b$/", name));
  CHECK_FALSE(is_function("*a*a*a*a*a*a*a*a*b", name));
  CHECK(is_function("f*a*a*a*a*\n", name));
  CHECK(is_function("/>\\(\\)\\xff\\x00/", name));
}

TEST_CASE("ranges of bytes and of times", "[filters]") {
  const auto is = [](const NumberRange& range, uint64_t least, uint64_t most) {
    return range.problem.empty() && range.least == least && range.most == most;
  };
  CHECK(is(parse_size_range(">=4096"), 4096, UINT64_MAX));
  CHECK(is(parse_size_range(">= 4K"), 4096, UINT64_MAX));
  CHECK(is(parse_size_range(">4096"), 4097, UINT64_MAX));
  CHECK(is(parse_size_range("<1K"), 0, 1023));
  CHECK(is(parse_size_range("<=1KiB"), 0, 1024));
  CHECK(is(parse_size_range("4K..1M"), 4096, 1 << 20));
  CHECK(is(parse_size_range("4K.."), 4096, UINT64_MAX));
  CHECK(is(parse_size_range("..1.5M"), 0, 3 << 19));
  CHECK(is(parse_size_range("=100"), 100, 100));
  CHECK(is(parse_size_range("100B"), 100, 100));
  CHECK(is(parse_size_range("0"), 0, 0));
  CHECK(is(parse_size_range("2G"), uint64_t{2} << 30, uint64_t{2} << 30));
  CHECK(is(parse_time_range(">=5s"), 5'000'000'000, UINT64_MAX));
  CHECK(is(parse_time_range("1ms..2min"), 1'000'000, 120'000'000'000));
  CHECK(is(parse_time_range("<200us"), 0, 199'999));
  for (const char* text :
       {"", "K", ">", "..", "4k", "1 2", "5s", "-1", ">=-1", "1e3", "0x10", "9999999999G", "a..b", ">=1..2", "1.2.3"}) {
    CAPTURE(text);
    CHECK_THAT(parse_size_range(text).problem, Contains(">=4096"));
  }
  CHECK_THAT(parse_time_range("5").problem, Contains("none of >=5s"));
  CHECK_THAT(parse_size_range("5..3").problem, Contains("5 is more than 3"));
  CHECK_THAT(parse_size_range("<0").problem, Contains("nothing is < 0"));
}

TEST_CASE("a moment that the trace does not have says what it has", "[filters]") {
  TraceBuilder b;
  b.add_mark(1'203'000'000, 1, "loaded");
  b.add_mark(2'000'000'000, 1, "done");
  b.close(3'400'000'000);
  const Trace trace(open_bytes(b.build()));
  const uint64_t end = end_of_trace_ns(trace, nullptr);
  CHECK(find_moment("loaded", trace, end).ns == 1'203'000'000);
  CHECK(find_moment("50%", trace, end).ns == 1'700'000'000);
  CHECK(find_moment("end", trace, end).ns == 3'400'000'000);
  const std::string problem = find_moment("loadde", trace, end).problem;
  CHECK_THAT(problem, Contains("did you mean loaded?"));
  CHECK_THAT(problem, Contains("the trace is 3.400 s long and has the marks loaded (1.203 s), done (2.000 s)"));
  CHECK_THAT(find_moment("120%", trace, end).problem, Contains("120% is more than the whole trace"));
}
