// Allocators with an API of their own, in libraries and in the program itself: each block once, by what was called.
#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

using Lines = std::vector<std::string>;

// "STATE DOMAIN ALLOCATOR FREE_FUNCTION SIZE", sorted, of the blocks that `is_wanted` says.
template <class IsWanted>
Lines blocks_of(const Trace& trace, IsWanted is_wanted) {
  const Outcome chunks = analyze({"chunks", trace.path().string()});
  REQUIRE(chunks.exit_status == 0);
  Lines blocks;
  std::istringstream lines(chunks.out);
  const auto text = [](const Json& value) { return value.is_null() ? "-" : value.get<std::string>(); };
  for (std::string line; std::getline(lines, line);) {
    const Json chunk = Json::parse(line);
    if (!is_wanted(chunk)) continue;
    blocks.push_back(text(chunk.at("state")) + " " + text(chunk.at("domain")) + " " + text(chunk.at("allocator")) +
                     " " + text(chunk.at("free_function")) + " " + chunk.at("size").dump() +
                     (chunk.at("mismatched").get<bool>() ? " mismatched" : ""));
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

// Of functions whose names hold one of `parts`, called by the host: GLib has slices of its own, mimalloc heaps. Of GPUs
// all: one library calls the other.
Lines blocks_by(const Trace& trace, const std::vector<std::string>& parts) {
  return blocks_of(trace, [&](const Json& chunk) {
    const std::string host = "(anonymous namespace)::";
    const bool is_called_by_host = caller(chunk).starts_with(host);
    if (chunk.at("domain") == "pool" && !is_called_by_host) return false;
    if (chunk.at("domain") == "cpu" && !is_called_by_host && stack_names(chunk, host)) return false;
    const auto holds = [&](const char* key) {
      if (chunk.at(key).is_null()) return false;
      const std::string name = chunk.at(key);
      return std::any_of(parts.begin(), parts.end(),
                         [&](const std::string& part) { return name.find(part) != std::string::npos; });
    };
    return holds("allocator") || holds("free_function");
  });
}

// A library that the loader of this system finds at the beginning of a program.
bool is_there(const std::string& library) {
  if (library.find('/') != std::string::npos) return std::filesystem::exists(library);
  std::vector<std::string> environment = plain_environment();
  environment.push_back("LD_PRELOAD=" + library);
  return run({{"true"}, environment, "/", "", {}}).err.empty();
}

// Neither a part of a call seen for itself, nor a call taken for a part.
void check_pairs(const Trace& trace) {
  CHECK(trace.summary().at("double_allocations") == 0);
  CHECK(trace.orphans() == 0);
  CHECK(count_if(trace.chunks("open"), [](const Json& chunk) { return stack_names(chunk, "realpath"); }) == 0);
}

struct Library {
  const char* allocator;
  std::string library;
  std::vector<std::string> parts;
  Lines blocks;
};

const std::vector<Library> kLibraries = {
    {"mimalloc",
     "libmimalloc.so.2",
     {"mi_"},
     {"closed cpu mi_calloc mi_free 123", "closed cpu mi_heap_malloc mi_heap_destroy 508",
      "closed cpu mi_heap_malloc mi_heap_destroy 508", "closed cpu mi_heap_malloc mi_heap_destroy 508",
      "closed cpu mi_malloc mi_realloc 101", "closed cpu mi_malloc_aligned mi_free 306",
      "closed cpu mi_new mi_free_size 407", "closed cpu mi_realloc mi_free 5002", "closed cpu mi_realpath mi_free 2",
      "closed cpu mi_rezalloc mi_free 609", "closed cpu mi_strdup mi_free 8", "open cpu mi_zalloc - 205"}},
    {"tbb",
     "libtbbmalloc.so.2",
     {"scalable_"},
     {"closed cpu scalable_aligned_malloc scalable_aligned_free 405", "closed cpu scalable_calloc scalable_free 213",
      "closed cpu scalable_malloc scalable_realloc 101", "closed cpu scalable_realloc scalable_free 5002",
      "open cpu scalable_posix_memalign - 304"}},
    {"openmp", "libgomp.so.1", {"omp_"}, {"closed cpu omp_alloc omp_free 101", "open cpu omp_alloc - 202"}},
    {"glib",
     "libglib-2.0.so.0",
     {"g_slice"},
     {"closed pool g_slice_alloc g_slice_free1 101", "closed pool g_slice_alloc g_slice_free_chain_with_offset 40",
      "closed pool g_slice_alloc g_slice_free_chain_with_offset 40",
      "closed pool g_slice_alloc g_slice_free_chain_with_offset 40", "closed pool g_slice_alloc0 g_slice_free1 202",
      "open pool g_slice_alloc - 303"}},
    {"hip",
     host_path("libgpu_hip_stand_in.so"),
     {"hip"},
     {"closed gpu hipHostMalloc hipHostFree 1002", "closed gpu hipMalloc hipFree 1001",
      "closed gpu hipMallocMipmappedArray hipFreeMipmappedArray 172",
      "closed gpu hipMallocMipmappedArray hipFreeMipmappedArray 240", "closed gpu hipMemCreate hipMemRelease 4096",
      "open gpu hipMemCreate - 8192"}},
    {"cuda_driver",
     host_path("libgpu_driver_stand_in.so"),
     {"cu"},
     {"closed gpu cuArrayCreate_v2 cuArrayDestroy 160", "closed gpu cuMemAlloc_v2 cuMemFree_v2 1001",
      "closed gpu cuMemCreate cuMemRelease 4096", "closed gpu cuMemHostAlloc cuMemFreeHost 1002",
      "closed gpu cuMipmappedArrayCreate cuMipmappedArrayDestroy 48", "open gpu cuMemCreate - 8192"}},
    {"cuda",
     host_path("libgpu_runtime_stand_in.so"),
     {"cu"},
     {"closed gpu cudaHostAlloc cudaFreeHost 1005", "closed gpu cudaMalloc cudaFree 1001",
      "closed gpu cudaMalloc3D cudaFree 3072", "closed gpu cudaMalloc3DArray cudaFreeArray 96",
      "closed gpu cudaMallocArray cudaFreeArray 320", "closed gpu cudaMallocAsync cudaFreeAsync 1006",
      "closed gpu cudaMallocHost cudaFree 1007 mismatched", "closed gpu cudaMallocManaged cudaFree 1002",
      "closed gpu cudaMallocMipmappedArray cudaFreeMipmappedArray 172",
      "closed gpu cudaMallocMipmappedArray cudaFreeMipmappedArray 240", "closed gpu cudaMallocPitch cudaFree 1536",
      "open gpu cudaMalloc - 1008"}},
};

}  // namespace

TEST_CASE("an allocator in a library that is loaded later is hooked as the loader maps it",
          "[hosts][other_allocators]") {
  for (const Library& library : kLibraries) {
    INFO(library.allocator);
    if (!is_there(library.library)) {
      skip(library.library + " is not installed");
      continue;
    }
    const HostRun host({"calls_allocators", library.allocator, library.library});
    CHECK(blocks_by(host.trace(), library.parts) == library.blocks);
    check_pairs(host.trace());
  }
}

TEST_CASE("a block that is larger than any memory is lost, and counted", "[hosts][other_allocators]") {
  const HostRun host({"calls_allocators", "cuda_boundless", host_path("libgpu_runtime_stand_in.so")});
  CHECK(blocks_by(host.trace(), {"cu"}) == Lines{"open gpu cudaMalloc - 1", "open gpu cudaMalloc - 1001",
                                                 "open gpu cudaMalloc - 2001", "open gpu cudaMalloc - 3001"});
  CHECK(host.trace().summary().at("dropped") == Json{{"too_large", 2}});
  CHECK_THAT(analyze({host.trace().path().string()}).out, !Catch::Contains("DAMAGED"));
}

TEST_CASE("an allocator in a library that is there from the beginning", "[hosts][other_allocators]") {
  for (const Library& library : kLibraries) {
    INFO(library.allocator);
    if (!is_there(library.library)) continue;  // said above
    FreshDirectory directory;
    const std::vector<std::string> command{host_path("calls_allocators"), library.allocator};
    std::vector<std::string> environment = plain_environment();
    environment.push_back(std::string("LD_PRELOAD=") + paths::kLibrary + ":" + library.library);
    const Outcome recorded = run({command, environment, directory.path(), "", {}});
    CHECK(recorded.exit_status == 0);
    CHECK(recorded.err.empty());
    const Trace trace(directory / "trace.bin");
    CHECK(blocks_by(trace, library.parts) == library.blocks);
    check_pairs(trace);
    // Nor does memprof stand between a function that is hooked and what it calls.
    for (const Json& chunk : trace.chunks())
      for (const Json& frame : chunk.at("stack")) CHECK(frame.value("module", "") != paths::kLibrary);
  }
}

TEST_CASE("jemalloc's own API beside its malloc: one family, whichever frees", "[hosts][other_allocators]") {
  const std::string library = "libjemalloc.so.2";
  if (!is_there(library)) return skip(library + " is not installed");
  FreshDirectory directory;
  std::vector<std::string> environment = plain_environment();
  environment.push_back(std::string("LD_PRELOAD=") + paths::kLibrary + ":" + library);
  const Outcome recorded = run({{host_path("calls_allocators"), "jemalloc"}, environment, directory.path(), "", {}});
  CHECK(recorded.exit_status == 0);
  CHECK(recorded.err.empty());
  const Trace trace(directory / "trace.bin");
  CHECK(blocks_by(trace, {"allocx"}) == Lines{"closed cpu malloc dallocx 304", "closed cpu mallocx free 203",
                                              "closed cpu mallocx rallocx 101", "closed cpu rallocx xallocx 5002",
                                              "closed cpu xallocx sdallocx 5100", "open cpu mallocx - 405"});
}

TEST_CASE("tcmalloc's own names beside its malloc", "[hosts][other_allocators]") {
  const std::string library = "libtcmalloc_minimal.so.4";
  if (!is_there(library)) return skip(library + " is not installed");
  FreshDirectory directory;
  std::vector<std::string> environment = plain_environment();
  environment.push_back(std::string("LD_PRELOAD=") + paths::kLibrary + ":" + library);
  const Outcome recorded = run({{host_path("calls_allocators"), "tcmalloc"}, environment, directory.path(), "", {}});
  CHECK(recorded.exit_status == 0);
  const Trace trace(directory / "trace.bin");
  CHECK(blocks_by(trace, {"tc_"}) == Lines{"closed cpu malloc tc_free_sized 202", "closed cpu tc_calloc tc_free 309",
                                           "closed cpu tc_malloc free 101", "open cpu tc_malloc - 404"});
}

TEST_CASE("APR's pools: what a pool gave ends with it, and with the pool around it", "[hosts][other_allocators]") {
  const std::string library = "libapr-1.so.0";
  if (!is_there(library)) return skip(library + " is not installed");
  const HostRun host({"calls_allocators", "apr", library});
  // Through apr_pstrdup the text is asked for by the library itself.
  const Lines blocks = blocks_of(host.trace(), [](const Json& chunk) {
    return chunk.at("domain") == "pool" && (caller(chunk).find("apr()") != std::string::npos || chunk.at("size") == 21);
  });
  CHECK(blocks == Lines{"closed pool apr_palloc apr_pool_clear 1002", "closed pool apr_palloc apr_pool_clear 21",
                        "closed pool apr_palloc apr_pool_destroy 1001", "closed pool apr_palloc apr_pool_destroy 1003",
                        "open pool apr_palloc - 1004"});
}

TEST_CASE("CPython, whose C extension calls mimalloc in a library that it loads and unloads",
          "[hosts][other_allocators]") {
  const std::string library = "libmimalloc.so.2", python = "/usr/bin/python3";
  if (!is_there(library) || !std::filesystem::exists(python))
    return skip(python + " or " + library + " is not installed");
  FreshDirectory directory;
  const std::string script = R"(
import _ctypes, ctypes
for i in range(5):
    library = ctypes.CDLL('libmimalloc.so.2')
    library.mi_malloc.restype = ctypes.c_void_p
    library.mi_free.argtypes = [ctypes.c_void_p]
    blocks = [library.mi_malloc(1000 + i) for _ in range(10)]
    for block in blocks[1:]:
        library.mi_free(block)
    _ctypes.dlclose(library._handle)
print('done')
)";
  const Outcome recorded = run({{python, "-c", script}, recording_environment(), directory.path(), "", {}});
  CHECK(recorded.out == "done\n");
  CHECK(recorded.err.empty());
  const Trace trace(directory / "trace.bin");
  Lines expected;
  for (const char* const size : {"1000", "1001", "1002", "1003", "1004"}) {
    expected.insert(expected.end(), 9, std::string("closed cpu mi_malloc mi_free ") + size);
    expected.push_back(std::string("open cpu mi_malloc - ") + size);
  }
  std::sort(expected.begin(), expected.end());
  CHECK(blocks_by(trace, {"mi_"}) == expected);
  CHECK(count_if(trace.chunks("open"), [](const Json& chunk) {
          return chunk.at("allocator") == "mi_malloc" && stack_names(chunk, "_PyEval_EvalFrameDefault");
        }) == 5);
}

TEST_CASE("jemalloc in the program under a prefix, which nobody but its symbol table names",
          "[hosts][other_allocators]") {
  const HostRun host({"calls_prefixed_jemalloc"});
  CHECK(blocks_by(host.trace(), {"_rjem_"}) ==
        Lines{"closed cpu _rjem_calloc _rjem_free 312", "closed cpu _rjem_malloc _rjem_realloc 101",
              "closed cpu _rjem_posix_memalign _rjem_free 505", "closed cpu _rjem_rallocx _rjem_xallocx 9003",
              "closed cpu _rjem_realloc _rjem_rallocx 5002", "closed cpu _rjem_xallocx _rjem_dallocx 9100",
              "open cpu _rjem_mallocx - 606"});
  CHECK(count_if(host.trace().chunks("closed"), [](const Json& chunk) { return chunk.at("size") == 707; }) == 1);
}

TEST_CASE("a Rust program with jemalloc as its global allocator", "[hosts][other_allocators]") {
  if (!std::filesystem::exists(host_path("rust_allocator"))) return skip("rustc was not installed at build time");
  const HostRun host({"rust_allocator"});
  CHECK(host.recorded().out == "3006 7777\n");
  const Lines blocks = blocks_by(host.trace(), {"_rjem_"});
  for (const char* const size : {" 1001", " 1002", " 1003"}) {
    INFO(size);
    CHECK(std::count_if(blocks.begin(), blocks.end(), [&](const std::string& block) {
            return block == std::string("closed cpu _rjem_mallocx _rjem_sdallocx") + size;
          }) == 1);
  }
  CHECK(std::count(blocks.begin(), blocks.end(), "open cpu _rjem_mallocx - 7777") == 1);
  // Three of 400 bytes in the vector, one in the box.
  const Outcome types = analyze({"stacks", "--group", "type", "--json", host.trace().path().string()});
  const Json groups = Json::parse(types.out).at("stacks");
  const auto widgets = std::find_if(groups.begin(), groups.end(), [](const Json& group) {
    return group.at("group").at("name") == "rust_allocator::Widget";
  });
  REQUIRE(widgets != groups.end());
  CHECK(widgets->at("open").at("bytes") == 1600);
}

TEST_CASE("every function on an allocator that is linked into the program", "[hosts][other_allocators]") {
  const auto linkage = GENERATE("static", "hidden");  // hidden: nobody else calls its malloc
  for (const std::string name : {"jemalloc", "tcmalloc"}) {
    const std::string program = std::string("allocators_") + linkage + "_" + name;
    INFO(program);
    if (!std::filesystem::exists(host_path(program))) {
      skip(name + " as an archive was not installed when the tests were built");
      continue;
    }
    const HostRun host({program});
    CHECK(host.recorded().err.empty());
    Outcome counts = host.recorded();
    check_trace(host.trace(), without_names(counts), Runtime::cxx_or_threads);
  }
}

TEST_CASE("a malloc that the program hides, beside libc's, which everybody else calls", "[hosts][other_allocators]") {
  const HostRun host({"hidden_malloc"});
  CHECK(host.recorded().err.empty());
  const Lines blocks = blocks_of(host.trace(), [](const Json& chunk) { return caller(chunk) == "main"; });
  CHECK(blocks == Lines{"closed cpu malloc free 100", "closed cpu malloc free 102", "closed cpu malloc free 104",
                        "closed cpu malloc free 106", "closed cpu malloc free 108", "closed cpu malloc realloc 201",
                        "closed cpu realloc free 302", "open cpu malloc - 101", "open cpu malloc - 103",
                        "open cpu malloc - 105", "open cpu malloc - 107", "open cpu malloc - 109"});
  CHECK(host.trace().allocations() == 12 + 1);  // the FILE
  CHECK(host.trace().frees() == 7 + 1);
  CHECK(host.trace().orphans() == 0);
  CHECK(host.trace().summary().at("double_allocations") == 0);
}

TEST_CASE("chunks of obstacks, libc's and a program's own, over the heap blocks that they lie in",
          "[hosts][other_allocators]") {
  const std::string program = GENERATE("obstacks", "obstacks_own");
  INFO(program);
  const HostRun host({program});
  CHECK(host.recorded().err.empty());
  uint64_t chunks = 0, bytes = 0, given = 0, given_bytes = 0, in_heap = 0;
  std::vector<std::string> functions;
  for (const Json& chunk : host.trace().chunks()) {
    if (chunk.at("domain") == "cpu" && caller(chunk) == "take") ++in_heap;
    if (chunk.at("domain") != "pool") continue;
    CHECK(chunk.at("mismatched") == false);
    CHECK((caller(chunk) == "main" || caller(chunk) == "grow" || caller(chunk).find("printf") != std::string::npos));
    ++chunks;
    bytes += chunk.at("size").get<uint64_t>();
    const std::string function = chunk.at("allocator");
    if (std::find(functions.begin(), functions.end(), function) == functions.end()) functions.push_back(function);
    if (chunk.at("state") == "open") continue;
    ++given;
    given_bytes += chunk.at("size").get<uint64_t>();
    const std::string end = chunk.at("free_function");
    CHECK((end == "obstack_free" || end == "_obstack_newchunk"));
  }
  std::sort(functions.begin(), functions.end());
  CHECK(functions == Lines{"_obstack_begin", "_obstack_begin_1", "_obstack_newchunk"});
  CHECK(chunks == expected(host.recorded(), "chunks"));
  CHECK(bytes == expected(host.recorded(), "chunk_bytes"));
  CHECK(given == expected(host.recorded(), "given"));
  CHECK(given_bytes == expected(host.recorded(), "given_bytes"));
  CHECK(in_heap == expected(host.recorded(), "heap_chunks"));
  CHECK(host.trace().orphans() == 0);
  CHECK(host.trace().summary().at("double_allocations") == 0);

  const HostRun filtered({program}, {"MEMPROF_FILTER=allocator=obstack"});
  const std::vector<Json> all = filtered.trace().chunks();
  CHECK(all.size() == chunks);
  CHECK(count_if(all, [](const Json& chunk) { return chunk.at("domain") == "pool"; }) == chunks);
}

TEST_CASE("MEMPROF_FILTER knows allocators, their functions and their domains", "[hosts][other_allocators]") {
  const std::string library = host_path("libgpu_runtime_stand_in.so");
  const auto recorded = [&](const std::string& filter) {
    const HostRun host({"calls_allocators", "cuda", library}, {"MEMPROF_FILTER=" + filter});
    return blocks_of(host.trace(), [](const Json& chunk) { return chunk.at("state") == "open"; });
  };
  CHECK(recorded("domain=gpu,size>=1008") == Lines{"open gpu cudaMalloc - 1008"});
  CHECK(recorded("allocator=cuda") == Lines{"open gpu cudaMalloc - 1008"});
  CHECK(recorded("allocator=cudaMalloc|cudaMallocHost,size>=1008") == Lines{"open gpu cudaMalloc - 1008"});
  CHECK(recorded("allocator=cudaMallocHost").empty());
  CHECK(recorded("allocator=mimalloc").empty());
}

TEST_CASE("memprof adds no name of an allocator to the process", "[hosts][other_allocators]") {
  const HostRun host({"calls_allocators", "asks"});
  CHECK(host.recorded().out == "none is there\n");
}

TEST_CASE("MEMPROF_PATCH=0 leaves the code as it is", "[hosts][other_allocators]") {
  const HostRun host({"calls_prefixed_jemalloc"}, {"MEMPROF_PATCH=0"});
  CHECK(blocks_by(host.trace(), {"_rjem_"}).empty());
}

TEST_CASE("callers find every register as the function itself leaves it", "[hosts][other_allocators]") {
  const HostRun host({"own_malloc_registers"});
  CHECK(host.recorded().out == "sum 2997000\n");
  CHECK(host.recorded().err.empty());
  CHECK(host.trace().allocations() == 1000);
  CHECK(host.trace().frees() == 1000);
}

TEST_CASE("an exception out of a hooked function hides nothing behind it", "[hosts][other_allocators]") {
  const HostRun host({"odd_allocator_throws"});
  CHECK(host.recorded().err.empty());
  const std::vector<Json> chunks = host.trace().chunks("closed");
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("allocator") == "mi_malloc"; }) == 100);
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("size") == 22; }) == 100);
  CHECK(count_if(chunks, [](const Json& chunk) { return chunk.at("allocator") == "mi_new"; }) == 1);
  CHECK(host.trace().orphans() == 0);
  CHECK(host.trace().summary().at("double_allocations") == 0);
}

TEST_CASE("a function that cannot be hooked keeps all of its allocator unhooked, and is named",
          "[hosts][other_allocators]") {
  FreshDirectory directory;
  const Outcome native = run({{host_path("odd_allocator_loops")}, plain_environment(), directory.path(), "", {}});
  const Outcome recorded = run({{host_path("odd_allocator_loops")}, recording_environment(), directory.path(), "", {}});
  CHECK(native.out == "looped\ncaught\n");
  CHECK(recorded.out == native.out);
  CHECK(recorded.exit_status == native.exit_status);
  CHECK(recorded.err ==
        "memprof: blocks of mimalloc in the program are not recorded: mi_zalloc cannot be hooked, because it jumps "
        "back to "
        "its beginning\n");
  const Trace trace(directory / "trace.bin");
  CHECK(blocks_by(trace, {"mi_"}).empty());
  CHECK(trace.orphans() == 0);
}

namespace {

// Built of source packages by tests/stress/sources.py; empty: it is not there.
std::string built_from_source(const std::string& package, const std::string& product) {
  const std::filesystem::path sources = std::filesystem::path(paths::kBuild) / "sources";
  if (!std::filesystem::exists(sources)) return "";
  for (const auto& entry : std::filesystem::directory_iterator(sources)) {
    const std::filesystem::path program = entry.path() / product;
    if (entry.path().filename().string().starts_with(package + "-") && std::filesystem::exists(program)) return program;
  }
  return "";
}

}  // namespace

TEST_CASE("mimalloc linked into the program in place of malloc", "[hosts][other_allocators][long]") {
  const std::string program = built_from_source("mimalloc", "memprof-host");
  if (program.empty()) return skip("mimalloc's source was not to be had");
  FreshDirectory directory;
  const Outcome native = run({{program}, plain_environment(), directory.path(), "", {}});
  const Outcome recorded = run({{program}, recording_environment(), directory.path(), "", {}});
  CHECK(recorded.out == native.out);
  CHECK(recorded.err.empty());
  CHECK(recorded.exit_status == native.exit_status);
  check_trace(Trace(directory / "trace.bin"), without_names(recorded), Runtime::cxx_or_threads);
}

TEST_CASE("redis with its own jemalloc", "[hosts][other_allocators][long]") {
  const std::string program = built_from_source("redis", "pristine/src/redis-server");
  if (program.empty()) return skip("redis's source was not to be had");
  FreshDirectory directory;
  Process server({{program, "--port", "0", "--unixsocket", "socket", "--save", "", "--loglevel", "notice"},
                  recording_environment(),
                  directory.path(),
                  "",
                  {}});
  REQUIRE(server.wait_for_output("The server is now ready to accept connections"));
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"redis-cli", "-s", "socket"});
    return run({words, plain_environment(), directory.path(), "", {}}).out;
  };
  // 1,000 lists of 100 bytes each, of which half go.
  CHECK(ask({"eval", "for i = 1, 1000 do redis.call('rpush', 'k' .. i, string.rep('x', 100)) end return 'ok'", "0"}) ==
        "ok\n");
  CHECK(ask({"eval", "for i = 1, 500 do redis.call('del', 'k' .. i) end return redis.call('dbsize')", "0"}) == "500\n");
  ask({"shutdown", "nosave"});
  CHECK(server.finish().exit_status == 0);
  const Trace trace(directory / "trace.bin");
  CHECK(trace.unknown_orphans() == 0);
  CHECK(trace.summary().at("double_allocations") == 0);
  CHECK(trace.dropped() == 0);
  const std::vector<Json> chunks = trace.chunks();
  const auto by_rpush = [](const Json& chunk) {
    return chunk.at("allocator").is_string() && chunk.at("allocator").get<std::string>().starts_with("je_") &&
           stack_names(chunk, "rpushCommand");
  };
  const auto are = [&](const char* state) {
    return count_if(chunks, [&](const Json& chunk) { return by_rpush(chunk) && chunk.at("state") == state; });
  };
  CHECK(are("open") >= 500);
  CHECK(are("closed") >= 500);
}
