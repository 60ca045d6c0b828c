// Windows and conditions on a recorded trace against the chunks lines of the whole of it.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "recorded_account.h"
#include "report/reports.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using nlohmann::json;

namespace {

// MEMPROF_GOLDEN_DIR, else where this file was compiled from.
Bytes golden_bytes() {
  const char* directory = std::getenv("MEMPROF_GOLDEN_DIR");
  const auto path = (directory ? std::filesystem::path(directory)
                               : std::filesystem::path(__FILE__).parent_path().parent_path() / "golden") /
                    "trace_v1.bin";
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(bytes, bytes + text.size());
}

}  // namespace

TEST_CASE("summaries of a recorded trace under selections agree with the chunks of the whole", "[selection]") {
  Trace trace(open_bytes(golden_bytes()));
  ReportOptions options;
  options.symbols = false;
  options.json = true;
  std::istringstream lines(written_by([&](Output& out) { report_chunks(trace, options, out, nullptr); }));
  std::vector<json> chunks;
  for (std::string line; std::getline(lines, line);) chunks.push_back(json::parse(line));
  REQUIRE(chunks.size() > 10);
  std::mt19937_64 random(17);
  for (int i = 0; i < 200; ++i) {
    const RecordedQuestion question = random_question(chunks, random);
    trace.selection = {};
    trace.selection.from_ns = question.from_ns;
    trace.selection.to_ns = question.to_ns;
    trace.selection.least_size = question.least_size;
    if (question.thread)
      trace.selection.thread = [&](const Thread& thread) { return thread.serial == *question.thread; };
    trace.selection.temporary = question.temporary;
    trace.threads = 1 + static_cast<unsigned>(i % 2);
    const Analysis analysis = analyse(trace);
    const json summary = json::parse(written_by([&](Output& out) { report_summary_json(analysis, options, out); }));
    CAPTURE(question.from_ns, question.to_ns, question.least_size);
    CHECK(account_of_summary(summary) == recorded_account(chunks, question));
  }
}
