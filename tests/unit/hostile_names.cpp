// Names in a trace, and in the files that it names, are bytes that somebody chose: none reaches a terminal as it is,
// and no JSON becomes invalid.
#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

#include "every_report.h"
#include "report/escape.h"
#include "symbols_data/fixture.h"

using namespace memprof;
using namespace memprof::test;
using format::MetadataRecord;

namespace {

// A terminal's: clear the screen; C1 in UTF-8 and as a byte; DEL; what turns the line around; no UTF-8 at all.
const std::string kHostile =
    "a\x1b[2J\r\n\t\"\\\xc2\x9b"
    "31m\x9b\x7f\u202e\u2066\u2028\ufeff\xff\xc0\x8a\xed\xa0\x80\xf5z";

bool is_safe_text(std::string_view text) {
  for (const std::string_view bad : {"\x1b", "\r", "\t", "\x7f", "\u009b", "\u202e", "\u2066", "\u2028", "\ufeff"})
    if (text.find(bad) != std::string_view::npos) return false;
  return to_utf8(text) == text;
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c < '\x7f'); });
}

void check_chunks(const std::string& chunks) {
  CHECK(is_printable_ascii(chunks));
  std::istringstream lines(chunks);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) CHECK(nlohmann::json::parse(line).is_object());
  CHECK(count != 0);
}

void check_safe(const EveryReport& reports) {
  CHECK(is_safe_text(reports.text));
  CHECK(is_printable_ascii(reports.json));
  std::istringstream documents(reports.json);
  for (int i = 0; i < 13; ++i) {
    nlohmann::json document;
    REQUIRE_NOTHROW(documents >> document);
    CHECK(document.contains("schema"));
  }
  std::istringstream rows(reports.csv);
  for (std::string row; std::getline(rows, row);) {
    REQUIRE(row.ends_with('\r'));
    CHECK(is_safe_text(row.substr(0, row.size() - 1)));
  }
  check_chunks(reports.chunks);
}

}  // namespace

TEST_CASE("no name of a trace reaches a terminal as it is", "[hostile]") {
  REQUIRE_FALSE(is_safe_text(kHostile));
  REQUIRE_FALSE(is_safe_text("\xff"));
  TraceBuilder b;
  const std::string numbers(16, '\1');  // the fixed heads of marks and thread names
  b.add_command({kHostile, "", kHostile});
  b.add_metadata(MetadataRecord::executable, kHostile);
  b.add_metadata(MetadataRecord::directory, kHostile);
  b.add_metadata(MetadataRecord::setting, "MEMPROF_FILTER=" + kHostile);
  b.add_metadata(MetadataRecord::parent_trace, kHostile);
  b.add_metadata(MetadataRecord::library, kHostile);
  b.add_metadata(MetadataRecord::mark, numbers + kHostile);
  b.add_metadata(MetadataRecord::thread_name, numbers.substr(8) + kHostile);
  b.define_domain(20, kHostile);
  b.define_tag(256, format::Function::pool_alloc, 0, kHostile);
  b.define_tag(257, format::Function::pool_alloc, 20, kHostile);
  const uint32_t module = b.add_module("/lib/" + kHostile, 0x1000, 0x2000, 0, kHostile);
  const uint32_t stack = b.add_node(b.add_node(format::kRootGaveUp, module, 0x1150), module, 0x1100);
  b.alloc_tagged(1, 10, 0x1000, 24, stack, 256);
  b.alloc_tagged(1, 20, 0x1000, 24, stack, 256);
  b.alloc_tagged(1, 30, 0x3000, 24, stack, 257);
  b.free(1, 40, 0x5000, format::Function::free, 0, stack);
  b.close(100);
  Trace trace(open_bytes(b.build()));
  for (const bool symbols : {false, true}) {
    ReportOptions options;
    options.symbols = symbols;
    const EveryReport reports = every_report(trace, options);
    CHECK(reports.text.find("a\\x1b[2J\\x0d\\x0a") != std::string::npos);
    check_safe(reports);
    // A domain is asked for by the bytes of its name.
    options.domain = kHostile;
    check_safe(every_report(trace, options));
  }
}

TEST_CASE("no name of a symbol or a source file reaches a terminal as it is", "[hostile]") {
  using namespace symbols_test;
  const std::string sample = MEMPROF_SYMBOLS_SAMPLE;
  const TemporaryDirectory directory;
  const std::string path = directory / "evil.so";
  const std::string name = "\x1b[2J\xc2\x9b\x7f\xff\"\\\n";
  REQUIRE(name.size() == std::string("sample_leaf").size());
  write_bytes(path, patched(patched(read_bytes(sample), "sample_leaf", name), "sample.cpp", "\x1b[2J.\xff.cpp"));
  const uint64_t leaf = symbol_address(sample, "sample_leaf");
  REQUIRE(leaf != 0);

  TraceBuilder b;
  const uint32_t module = b.add_module(path, 0x7f0000000000, 0x7f0000100000, 0x7f0000000000);
  b.alloc(1, 10, 0x1000, 24, b.add_node(format::kRootWhole, module, leaf + 1));
  b.close(100);
  Trace trace(open_bytes(b.build()));
  const EveryReport reports = every_report(trace, {});
  check_safe(reports);
  // Both were found, so both were escaped.
  CHECK(reports.text.find("\\x1b[2J\\xc2\\x9b\\x7f\\xff") != std::string::npos);
  CHECK(reports.text.find("\\x1b[2J.\\xff.cpp:") != std::string::npos);
  CHECK(reports.chunks.find("\\u001b[2J\\u009b\\u007f") != std::string::npos);
}
