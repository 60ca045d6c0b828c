// valgrind as the oracle of suppressions: what memprof writes it takes, and what it writes memprof takes.
#include <catch2/catch.hpp>

#include <regex>
#include <set>

#include "gate/suppressions.h"
#include "gate/written_suppressions.h"
#include "host.h"
#include "model/analysis.h"
#include "report/frames.h"

using namespace memprof::tests;
using Catch::Matchers::Contains;
using memprof::Finding;
namespace fs = std::filesystem;

namespace {

const std::string kValgrind = "/usr/bin/valgrind";

// One of each stack with open blocks in the host's own code. All that it loses is lost definitely.
std::vector<Finding> findings_of(const fs::path& path) {
  const memprof::Trace trace(memprof::TraceFile::open(path.string()));
  const memprof::Analysis analysis = memprof::analyse(trace);
  memprof::FrameSource source(trace, {});
  std::vector<Finding> findings;
  for (const memprof::Site& site : analysis.heap()->sites.all()) {
    if (site.open_chunks == 0) continue;
    Finding finding;
    finding.fingerprint = site.stack;
    finding.allocator = memprof::format::kFunctions[site.tag].name;
    finding.blocks = site.open_chunks;
    finding.bytes = site.open_bytes;
    bool is_own = false;
    for (const memprof::Frame& frame : source.frames(site.stack, SIZE_MAX)) {
      finding.frames.push_back({std::string(frame.function), std::string(frame.linkage_name), std::string(frame.file),
                                frame.line, std::string(frame.module), frame.offset, frame.inlined});
      is_own = is_own || frame.function.find("lost::") != std::string_view::npos;
    }
    if (is_own) findings.push_back(std::move(finding));
  }
  return findings;
}

std::string by_valgrind(const FreshDirectory& directory, const std::vector<std::string>& options) {
  std::vector<std::string> command = {kValgrind, "--leak-check=full", "--log-file=valgrind.log", "--num-callers=40"};
  command.insert(command.end(), options.begin(), options.end());
  command.push_back(host_path("suppressed_leaks"));
  run({command, plain_environment(), directory.path(), "", {}});
  return read_file(directory / "valgrind.log");
}

// "in so many blocks"; 0 where valgrind does not say.
uint64_t blocks(const std::string& log, const std::string& what) {
  std::smatch found;
  if (!std::regex_search(log, found, std::regex(what + ": [0-9,]+ bytes in ([0-9,]+) blocks"))) return 0;
  return std::stoull(found[1]);
}

}  // namespace

TEST_CASE("valgrind and memprof take each other's suppressions", "[real][suppressions]") {
  FreshDirectory directory;
  run({{host_path("suppressed_leaks")}, recording_environment(), directory.path(), "", {}});
  const std::vector<Finding> findings = findings_of(directory / "trace.bin");
  CHECK(findings.size() == 21);

  // All lost, and its own suppressions besides.
  const std::string plain = by_valgrind(directory, {"--gen-suppressions=all"});
  INFO(plain);
  CHECK(blocks(plain, "definitely lost") == findings.size());
  std::string theirs;
  std::istringstream lines(plain);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("==")) theirs += line + "\n";
  memprof::Suppressions generated;
  REQUIRE(generated.add_text(theirs, "valgrind's") == "");
  std::set<size_t> used;
  for (const Finding& finding : findings) {
    const auto index = generated.match(finding);
    CAPTURE(memprof::written_suppressions({&finding, 1}));
    CHECK(index);
    if (index) used.insert(*index);
  }
  CHECK(used.size() == findings.size());
  CHECK(generated.uses().size() == findings.size());

  // All of ours, and all but one. For valgrind, malloc returned the first of these, realloc or memalign the others.
  const std::set<std::string> jumped = {"lost::by_realloc_of_null()", "lost::by_reallocarray()", "lost::by_valloc()",
                                        "lost::by_aligned_alloc()"};
  write_file(directory / "ours.supp", memprof::written_suppressions(findings));
  const std::string suppressed = by_valgrind(directory, {"--suppressions=ours.supp"});
  INFO(suppressed);
  CHECK(blocks(suppressed, "definitely lost") == jumped.size());
  for (const std::string& place : jumped) CHECK_THAT(suppressed, Contains(place));
  CHECK(blocks(suppressed, "suppressed") == findings.size() - jumped.size());
  for (size_t i = 0; i < findings.size(); i += 5) {
    if (jumped.contains(findings[i].frames[0].function)) continue;
    std::vector<Finding> others = findings;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    write_file(directory / "others.supp", memprof::written_suppressions(others));
    const std::string log = by_valgrind(directory, {"--suppressions=others.supp"});
    INFO(log);
    CHECK(blocks(log, "definitely lost") == jumped.size() + 1);
  }
}
