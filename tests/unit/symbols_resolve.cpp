#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>

#include "symbols/demangle.h"
#include "symbols/symbolizer.h"
#include "symbols_data/fixture.h"
#include "symbols_data/own_modules.h"

using namespace memprof;
using namespace symbols_test;

namespace here_and_there {

[[gnu::noinline]] void* caller_address() {
  asm volatile("");
  return __builtin_return_address(0);
}

struct Place {
  void* address;
  uint32_t line;
};

// The lines are taken in the same statements as the calls: they are what the frames must say.
[[gnu::always_inline]] inline Place innermost() {
  const Place place = {caller_address(), __LINE__};
  asm volatile("" : : "r"(place.address));
  return place;
}

struct Chain {
  uint32_t middle_line = 0;
  [[gnu::always_inline]] Place middle() {
    // clang-format off
    const Place place = innermost(); middle_line = __LINE__;
    // clang-format on
    return place;
  }
};

[[gnu::noinline]] Place outermost(Chain& chain, uint32_t& outer_line) {
  // clang-format off
  const Place place = chain.middle(); outer_line = __LINE__;
  // clang-format on
  return place;
}

}  // namespace here_and_there

namespace {

uint64_t number(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

}  // namespace

TEST_CASE("inlined calls are frames of their own, each with the line inside it", "[symbols]") {
  here_and_there::Chain chain;
  uint32_t outer_line = 0;
  const auto place = here_and_there::outermost(chain, outer_line);
  const auto modules = own_modules();
  const uint32_t module = module_of(modules, number(place.address));
  REQUIRE(module != Symbolizer::kNoModule);
  Symbolizer symbolizer(modules, offline_options());

  const auto frames = symbolizer.resolve(module, number(place.address), true);
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].function == "here_and_there::innermost()");
  CHECK(frames[0].line == place.line);
  CHECK(frames[0].inlined);
  CHECK(frames[1].function == "here_and_there::Chain::middle()");
  CHECK(frames[1].line == chain.middle_line);
  CHECK(frames[1].inlined);
  CHECK(frames[2].function == "here_and_there::outermost(here_and_there::Chain&, unsigned int&)");
  CHECK(frames[2].line == outer_line);
  CHECK_FALSE(frames[2].inlined);
  for (const SourceFrame& frame : frames) {
    CHECK(std::filesystem::path(frame.file).filename() == "symbols_resolve.cpp");
    CHECK(frame.linkage_name.starts_with("_ZN14here_and_there"));
    CHECK(demangle(frame.linkage_name) == frame.function);
    CHECK(frame.module == modules[module].path);
    CHECK(frame.offset == number(place.address) - modules[module].load_bias);
  }
  // Once only: the same memory is the answer again.
  CHECK(symbolizer.resolve(module, number(place.address), true).data() == frames.data());

  const auto reports = symbolizer.module_reports();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].module == module);
  CHECK(reports[0].detail == ModuleSymbols::Detail::lines);
  CHECK(reports[0].problem.empty());
}

TEST_CASE("a return address belongs to the call before it", "[symbols]") {
  const auto modules = own_modules();
  const uint64_t start = number(reinterpret_cast<const void*>(&here_and_there::caller_address));
  const uint32_t module = module_of(modules, start);
  REQUIRE(module != Symbolizer::kNoModule);
  Symbolizer symbolizer(modules, offline_options());

  CHECK(symbolizer.resolve(module, start, false)[0].function == "here_and_there::caller_address()");
  CHECK(symbolizer.resolve(module, start, true)[0].function != "here_and_there::caller_address()");
  CHECK(symbolizer.resolve(module, start, true)[0].offset == start - modules[module].load_bias);
  CHECK(symbolizer.resolve(module, start + 1, true)[0].function == "here_and_there::caller_address()");
}

TEST_CASE("functions of a library without debug information have their symbol's name", "[symbols]") {
  const auto modules = own_modules();
  Symbolizer::Options options = offline_options();
  options.files.debug_dirs.clear();  // as if libc6-dbg were not there
  Symbolizer symbolizer(modules, options);
  const auto name_at = [&](const char* library, const char* name) {
    // From that library: a sanitizer has functions of these names too.
    const uint64_t address = number(dlsym(dlopen(library, RTLD_LAZY | RTLD_NOLOAD), name));
    return std::string(symbolizer.resolve(module_of(modules, address), address, false)[0].function);
  };
  CHECK(name_at("libc.so.6", "qsort") == "qsort");
  const uint64_t terminate = number(dlsym(dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD), "_ZSt9terminatev"));
  CHECK(symbolizer.resolve(module_of(modules, terminate), terminate, false)[0].linkage_name == "_ZSt9terminatev");
  const uint64_t qsort = number(dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "qsort"));
  CHECK(symbolizer.resolve(module_of(modules, qsort), qsort, false)[0].linkage_name == "");
  CHECK(name_at("libc.so.6", "fopen") == "fopen");
  CHECK(name_at("libstdc++.so.6", "_ZSt9terminatev") == "std::terminate()");
  for (const auto& report : symbolizer.module_reports()) {
    CHECK(report.detail == ModuleSymbols::Detail::symbols);
    CHECK(report.problem.empty());
  }
}

TEST_CASE("an address outside every function is module and offset", "[symbols]") {
  const auto modules = own_modules();
  Symbolizer symbolizer(modules, offline_options());
  for (const uint64_t address : {uint64_t{0}, uint64_t{1}, modules[0].start, modules[0].end, UINT64_MAX}) {
    const auto frames = symbolizer.resolve(0, address, true);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].function.empty());
    CHECK(frames[0].file.empty());
    CHECK(frames[0].module == modules[0].path);
    CHECK(frames[0].offset == address - modules[0].load_bias);
  }
}

TEST_CASE("code outside the modules is looked up in the JIT map", "[symbols]") {
  const TemporaryDirectory directory;
  write_bytes(directory / "perf-4711.map", "7000 100 py::work:/app/main.py\n");
  Symbolizer::Options options = offline_options();
  options.jit_map_dir = directory.path();
  options.pid = 4711;

  Symbolizer symbolizer({}, options);
  CHECK(symbolizer.resolve(Symbolizer::kNoModule, 0x7000, false)[0].function == "py::work:/app/main.py");
  CHECK(symbolizer.resolve(Symbolizer::kNoModule, 0x7000, true)[0].function.empty());
  CHECK(symbolizer.resolve(Symbolizer::kNoModule, 0x7100, true)[0].function == "py::work:/app/main.py");
  CHECK(symbolizer.resolve(Symbolizer::kNoModule, 0x7100, true)[0].module == directory / "perf-4711.map");
  CHECK(symbolizer.resolve(12345, 0x7001, false)[0].offset == 0x7001);  // an index that does not exist
  REQUIRE(symbolizer.module_reports().size() == 1);
  CHECK(symbolizer.module_reports()[0].module == Symbolizer::kNoModule);

  options.jit_maps = false;
  Symbolizer without(std::vector<ModuleInfo>{}, options);
  CHECK(without.resolve(Symbolizer::kNoModule, 0x7000, false)[0].function.empty());
  CHECK(without.module_reports().empty());
}

TEST_CASE("different modules can be resolved at the same time", "[symbols]") {
  const auto modules = own_modules();
  Symbolizer together(modules, offline_options()), alone(modules, offline_options());
  const auto resolve_all = [&](Symbolizer& symbolizer, uint32_t module) {
    for (uint64_t at = modules[module].start; at < modules[module].end;
         at += (modules[module].end - modules[module].start) / 50 + 1)
      symbolizer.resolve(module, at, false);
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < modules.size(); ++i) threads.emplace_back(resolve_all, std::ref(together), i);
  for (std::thread& thread : threads) thread.join();
  for (uint32_t i = 0; i < modules.size(); ++i) {
    resolve_all(alone, i);
    for (uint64_t at = modules[i].start; at < modules[i].end; at += (modules[i].end - modules[i].start) / 50 + 1)
      CHECK(together.resolve(i, at, false).back().function == alone.resolve(i, at, false).back().function);
  }
}
