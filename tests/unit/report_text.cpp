#include <catch2/catch.hpp>

#include <csignal>
#include <sstream>

#include "report/escape.h"
#include "report/frame_text.h"
#include "report/mismatches.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;
using format::Function;

TEST_CASE("no name can move the cursor", "[report]") {
  CHECK(escape_text("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(escape_text("a\x1b[2J\nb\x7f") == "a\\x1b[2J\\x0ab\\x7f");
  CHECK(escape_text("\xc2\x9b"
                    "2J") == "\\xc2\\x9b2J");  // CSI as C1
  CHECK(escape_text("a\u202eb\u2067\u200f\u2029") == "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa7\\xe2\\x80\\x8f\\xe2\\x80\\xa9");
  CHECK(escape_text("\u20ac\u2013\u2070") == "\u20ac\u2013\u2070");
  CHECK(escape_text("\xff\xc3") == "\\xff\\xc3");                             // no UTF-8, cut UTF-8
  CHECK(escape_text("\xc0\x8a\xed\xa0\x80") == "\\xc0\\x8a\\xed\\xa0\\x80");  // overlong, surrogate
}

TEST_CASE("JSON strings are valid whatever the bytes", "[report]") {
  for (const std::string& bytes : {std::string("\xff\xfe"), std::string("a\0b", 3), std::string("\"\\\n\x1b"),
                                   std::string("\xe2\x82"), std::string("\xf0\x9f\x98\x80")})
    CHECK(nlohmann::json::parse(json_string(bytes)) == to_utf8(bytes));
  CHECK(to_utf8("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
}

TEST_CASE("arguments print as a shell would need them", "[report]") {
  CHECK(quote_argument("--a=b/c.txt") == "--a=b/c.txt");
  CHECK(quote_argument("") == "''");
  CHECK(quote_argument("it's") == "'it'\\''s'");
}

TEST_CASE("numbers read like numbers", "[report]") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(1234567) == "1,234,567");
  CHECK(format_count(123) == "123");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.00 KiB");
  CHECK(format_bytes(1048575) == "1.00 MiB");
  CHECK(format_bytes(UINT64_MAX) == "16.00 EiB");
  CHECK(format_duration(999) == "999 ns");
  CHECK(format_duration(1'203'000'000) == "1.203 s");
  CHECK(format_duration(7'260'000'000'000) == "2 h 01 min");
  CHECK(format_share(1, 0) == "-");
  CHECK(format_share(1, 100'000) == "<0.1 %");
  CHECK(format_share(99'999, 100'000) == ">99.9 %");
  CHECK(format_share(1, 1) == "100.0 %");
}

TEST_CASE("a long C++ name loses its template arguments first", "[report]") {
  const std::string name =
      "std::vector<std::pair<int, std::string>, std::allocator<int> >::push_back(std::pair<int, std::string> const&)";
  CHECK(shorten_function(name, 200) == name);
  CHECK(shorten_function(name, 70) == "std::vector<...>::push_back(std::pair<...> const&)");
  CHECK(shorten_function(name, 40) == "std::vector<...>::push_back(...)");
  CHECK(shorten_function(name, 20) == "std::vector<...>:...");
  CHECK(shorten_function("some_function_name(int, char)", 20) == "some_function_name");
  CHECK(shorten_function("bool operator< <int>(A<int> const&, B)", 30) == "bool operator< <...>(...)");
}

TEST_CASE("only the innermost frame's own function decides a mismatch", "[report]") {
  CHECK(family_of_operator("operator new(unsigned long)") == format::Family::scalar_new);
  CHECK(family_of_operator("operator new[](unsigned long, std::align_val_t)") == format::Family::array_new);
  CHECK(family_of_operator("operator delete(void*)") == format::Family::scalar_new);
  CHECK(family_of_operator("operator delete[](void*, unsigned long)") == format::Family::array_new);
  CHECK(family_of_operator("operator newish()") == format::Family::none);
  CHECK(family_of_operator("main") == format::Family::none);
}

TEST_CASE("the summary fits the screen and says what is wrong", "[report]") {
  TraceBuilder b;
  b.add_command({"./application", std::string(200, 'x')});
  const uint32_t module = b.add_module("/opt/" + std::string(150, 'm') + ".so", 0x1000, 0x2000, 0);
  const uint32_t s = b.add_node(format::kRootWhole, module, 0x1150);
  b.alloc(1, 10, 0x1000, 1 << 20, s, Function::operator_new_array);
  b.free(1, 20, 0x1000);
  b.alloc(1, 30, 0x2000, 100, s);
  b.alloc(1, 40, 0x2000, 100, s);
  b.free(1, 50, 0x5000);
  b.header.dropped_events[1] = 3;
  b.header.stopped = 2;
  const Analysed a(b);
  ReportOptions options;
  options.symbols = false;
  const std::string text = written_by([&](Output& out) { report_summary_text(a.result, options, out); });
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= kTextColumns);
  CHECK_THAT(text, Contains("incomplete") && Contains("RECORDING STOPPED EARLY") &&
                       Contains("3 events not recorded: the disk or the quota was full"));
  CHECK_THAT(text, Contains("1 free is orphaned: never seen allocated"));
  CHECK_THAT(text,
             Contains("FREED WITH THE WRONG FUNCTION: 1 block") && Contains("allocated with new[], freed with free"));
  CHECK_THAT(text, Contains("ALLOCATED TWICE WITHOUT A FREE BETWEEN: 1 address"));
}

TEST_CASE("open blocks are not freed, not leaked", "[report]") {
  TraceBuilder b;
  const uint32_t s = b.stack(0x100);
  b.alloc(1, 10, 0x1000, 100, s);
  b.close(100);
  const Analysed a(b);
  ReportOptions options;
  options.symbols = false;
  const std::string text = written_by([&](Output& out) { report_leaks(a.result, options, out); });
  CHECK_THAT(text, Contains("100 B in 1 block not freed at exit, from 1 stack"));
  CHECK_THAT(text, !Contains("leak"));
}

TEST_CASE("a report that cannot be written throws, and knows a closed pipe", "[report]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  const auto previous = std::signal(SIGPIPE, SIG_IGN);
  Output out(ends[1]);
  out.write("text");
  try {
    out.flush();
    FAIL("flush() returned");
  } catch (const OutputError& error) {
    CHECK(error.is_closed_pipe());
  }
  std::signal(SIGPIPE, previous);
  ::close(ends[1]);
  Output closed(ends[1]);
  closed.write("text");
  CHECK_THROWS_AS(closed.flush(), OutputError);
}
