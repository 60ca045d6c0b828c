// Whatever the number of threads, the answers are those of one address after the other.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "symbols/parallel.h"
#include "symbols/symbolizer.h"
#include "symbols_data/fixture.h"
#include "symbols_data/own_modules.h"

using namespace memprof;
using namespace symbols_test;

namespace {

// So many of the largest module, this program, that it is looked up in parts; some of each other one.
std::vector<Symbolizer::Wanted> many_addresses(const std::vector<ModuleInfo>& modules) {
  std::vector<Symbolizer::Wanted> wanted;
  for (uint32_t i = 0; i < modules.size(); ++i) {
    const uint64_t count = i == 0 ? 2000 : 20, size = modules[i].end - modules[i].start;
    for (uint64_t k = 0; k < count; ++k) wanted.push_back({i, {modules[i].start + size * k / count, k % 3 == 0}});
  }
  return wanted;
}

std::string answer(Symbolizer& symbolizer, const std::vector<Symbolizer::Wanted>& wanted) {
  std::string text;
  for (const Symbolizer::Wanted& one : wanted)
    for (const SourceFrame& frame : symbolizer.resolve(one.module, one.code.address, !one.code.is_exact))
      text += fmt::format("{} {} {} {} {} {}\n", frame.function, frame.file, frame.line, frame.module, frame.offset,
                          frame.inlined);
  for (const Symbolizer::ModuleReport& report : symbolizer.module_reports())
    text +=
        fmt::format("{} {} {} {}\n", report.module, static_cast<int>(report.detail), report.debug_file, report.problem);
  return text;
}

}  // namespace

TEST_CASE("frames do not depend on the number of workers", "[symbols][parallel]") {
  const auto modules = own_modules();
  const auto wanted = many_addresses(modules);
  Symbolizer one_by_one(modules, offline_options());
  const std::string expected = answer(one_by_one, wanted);
  REQUIRE(std::count(expected.begin(), expected.end(), '\n') > 2000);
  REQUIRE(expected.find("symbols_parallel.cpp") != std::string::npos);
  for (const unsigned workers : {1u, 2u, 8u}) {
    CAPTURE(workers);
    Symbolizer::Options options = offline_options();
    options.workers = workers;
    Symbolizer symbolizer(modules, options);
    symbolizer.prepare(wanted);
    CHECK(answer(symbolizer, wanted) == expected);
    symbolizer.prepare(wanted);  // nothing is left to do
    CHECK(answer(symbolizer, wanted) == expected);
  }
}

TEST_CASE("a large module is cut into parts, none is lost", "[symbols][parallel]") {
  const auto modules = own_modules();
  const Symbolizer::Options options = offline_options();
  DebuginfodSource nowhere(false);
  std::vector<CodeAddress> codes;
  for (const Symbolizer::Wanted& one : many_addresses(modules))
    if (one.module == 0) codes.push_back(one.code);
  for (const size_t most : {1u, 2u, 5u}) {
    ModuleSymbols symbols(modules[0], options.files, nowhere);
    CHECK(symbols.find_known(codes) == codes);
    const auto parts = symbols.parts_of(codes, most);
    CHECK(parts.size() <= most);
    CHECK(parts.size() >= std::min<size_t>(most, 2));
    std::vector<CodeAddress> joined;
    for (const auto part : parts) joined.insert(joined.end(), part.begin(), part.end());
    CHECK(joined == codes);
  }
  ModuleSymbols symbols(modules[0], options.files, nowhere);
  symbols.find_known(std::span(codes).first(1));
  CHECK(symbols.parts_of(std::span(codes).first(1), 8).size() == 1);
  CHECK(symbols.parts_of({}, 8).empty());
}

TEST_CASE("what is prepared may be little, nothing or impossible", "[symbols][parallel]") {
  const auto modules = own_modules();
  Symbolizer symbolizer(modules, offline_options());
  symbolizer.prepare({});
  CHECK(symbolizer.module_reports().empty());
  symbolizer.prepare(
      {{Symbolizer::kNoModule, {0x1234, true}}, {77777, {0x1234, false}}, {0, {1, false}}, {0, {1, false}}});
  CHECK(symbolizer.resolve(77777, 0x1234, true)[0].offset == 0x1234);
  CHECK(symbolizer.resolve(0, 1, true)[0].function.empty());
}

TEST_CASE("every piece of work is done once, and an exception comes back", "[symbols][parallel]") {
  for (const unsigned workers : {0u, 1u, 2u, 8u}) {
    std::vector<std::atomic<int>> done(100);
    run_in_parallel(workers, done.size(), [&](size_t i) { ++done[i]; });
    for (const auto& count : done) CHECK(count == 1);
    CHECK_THROWS_AS(run_in_parallel(workers, 10,
                                    [](size_t i) {
                                      if (i == 3) throw std::runtime_error("three");
                                    }),
                    std::runtime_error);
    run_in_parallel(workers, 0, [](size_t) { FAIL("there is no work"); });
  }
}
