// The oracle for counts: memcheck counts the same allocations, frees and bytes, block for block.
#include <catch2/catch.hpp>
#include <regex>
#include <sstream>

#include "host.h"
#include "valgrind.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

struct Heap {
  uint64_t allocations = 0, frees = 0, bytes = 0, open = 0, open_bytes = 0;
  friend bool operator==(const Heap&, const Heap&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Heap& heap) {
    return out << heap.allocations << " allocations, " << heap.frees << " frees, " << heap.bytes << " bytes, "
               << heap.open << " open, " << heap.open_bytes << " open bytes";
  }
};

uint64_t number(std::string text) {
  std::erase(text, ',');
  return std::stoull(text);
}

Heap heap_by_valgrind(const fs::path& log_file) {
  const std::string log = read_file(log_file);
  std::smatch total, open;
  REQUIRE(std::regex_search(log, total,
                            std::regex("total heap usage: ([0-9,]+) allocs, ([0-9,]+) frees, ([0-9,]+) bytes")));
  REQUIRE(std::regex_search(log, open, std::regex("in use at exit: ([0-9,]+) bytes in ([0-9,]+) blocks")));
  return {number(total[1]), number(total[2]), number(total[3]), number(open[2]), number(open[1])};
}

Heap heap_by_memprof(const Trace& trace) {
  return {trace.allocations(), trace.frees(), trace.bytes_allocated(), trace.open_chunks(), trace.open_bytes()};
}

void compare(const std::vector<std::string>& command, const std::vector<std::string>& settings = {}) {
  FreshDirectory directory;
  // Without __libc_freeres: valgrind would free at the end what the program itself never does.
  const Outcome outcome = run_under_valgrind_and_memprof(
      command, {"--run-libc-freeres=no", "--run-cxx-freeres=no", "--log-file=valgrind.log"}, settings,
      directory.path());
  const Trace trace(directory / "trace.bin");
  INFO("command " << command[0] << ", status " << outcome.exit_status << ", stderr " << outcome.err);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK(heap_by_memprof(trace) == heap_by_valgrind(directory / "valgrind.log"));
}

}  // namespace

TEST_CASE("valgrind counts the same for the host programs", "[real][valgrind]") {
  // Not those that ask for failing or zero-byte blocks: valgrind counts a request that fails, and sees no pvalloc.
  for (const char* name : {"operator_new", "mismatched_frees", "thread_exit", "small_stacks", "constructors",
                           "long_jumps", "deep_throw", "sized_free", "static_objects_host"}) {
    compare({host_path(name)});
  }
  compare({host_path("signal_handlers"), "raised"});
  compare({host_path("churn"), "20000"});
}

TEST_CASE("valgrind counts the same for sqlite3", "[real][valgrind]") {
  compare({"/usr/bin/sqlite3", ":memory:",
           "create table t(a integer primary key, b text);"
           "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
           " insert into t select i, 'row ' || i from n;"
           "create index i on t(b); select count(*), sum(length(b)), max(b) from t;"});
}

TEST_CASE("valgrind counts the same for perl", "[real][valgrind]") {
  compare({"/usr/bin/perl", "-e", "my %h; $h{$_ % 977} .= \"x$_\" for 1..20000; print scalar(keys %h), \"\\n\";"},
          {"PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0"});
}

TEST_CASE("valgrind counts the same for CPython", "[real][valgrind]") {
  compare({"/usr/bin/python3", "-S", "-E", "-c",
           "import json\nprint(len(json.dumps([{'n': i, 's': str(i)} for i in range(2000)])))"},
          {"PYTHONMALLOC=malloc", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1"});
}
