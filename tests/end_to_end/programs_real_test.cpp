// Programs that people use: their output, status and files are those of the native run.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "host.h"
#include "skip.h"
#include "twin_runs.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

// Every event is there, and nothing that cannot be.
void check_whole(const Trace& trace, uint64_t least_allocations) {
  CHECK(trace.complete());
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK(trace.summary().at("double_allocations") == 0);
  CHECK(trace.summary().at("trace").at("damaged_pages") == 0);
  CHECK(trace.allocations() >= least_allocations);
}

}  // namespace

TEST_CASE("CPython", "[real][programs]") {
  Pair pair;
  run_both(&pair,
           {"/usr/bin/python3", "-c",
            "import json, re, collections, threading\n"
            "text = json.dumps([{'key %d' % i: list(range(i % 20))} for i in range(20000)])\n"
            "words = collections.Counter(re.findall(r'[0-9]+', text))\n"
            "results = []\n"
            "threads = [threading.Thread(target=lambda n=n: results.append(sum(x*n for x in range(20000)))) for n in "
            "range(4)]\n"
            "[t.start() for t in threads]; [t.join() for t in threads]\n"
            "print(len(text), words.most_common(3), sorted(results))\n"},
           {"PYTHONMALLOC=malloc", "PYTHONHASHSEED=0"});
  check_whole(pair.trace(), 300'000);
}

TEST_CASE("CPython with processes of its own", "[real][programs]") {
  Pair pair;
  run_both(&pair,
           {"/usr/bin/python3", "-c",
            "import subprocess, multiprocessing, os\n"
            "print(subprocess.run(['/bin/echo', 'from echo'], capture_output=True).stdout)\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, range(-50, 0)))\n"
            "print(os.system('exit 3'))\n"},
           {"PYTHONMALLOC=malloc", "PYTHONHASHSEED=0"});
  CHECK(pair.trace().complete());
  CHECK(pair.trace().unknown_orphans() == 0);
}

TEST_CASE("perl", "[real][programs]") {
  Pair pair;
  run_both(&pair,
           {"/usr/bin/perl", "-e",
            "my %h; for my $i (1..200000) { $h{$i % 5003} .= chr(65 + $i % 26); } "
            "my $n = 0; $n += length for values %h; print \"$n\\n\"; print join(',', (sort values %h)[0..3]), \"\\n\"; "
            "exit 0;"},
           {"PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0"});
  check_whole(pair.trace(), 10'000);
}

TEST_CASE("sqlite3 with 200,000 rows in memory", "[real][programs]") {
  Pair pair;
  run_both(&pair, {"/usr/bin/sqlite3", ":memory:",
                   "create table t(a integer primary key, b text, c real);"
                   "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)"
                   " insert into t select i, 'row number ' || i, i * 1.5 from n;"
                   "create index i on t(b); select count(*), sum(c), max(b) from t;"
                   "select b from t where b like '%777%' order by b desc limit 5;"});
  check_whole(pair.trace(), 200'000);
}

TEST_CASE("clang++ compiles a file full of the standard library to the same object", "[real][programs]") {
  Pair pair;
  const auto write_source = [](const fs::path& directory) {
    write_file(
        directory / "full.cpp",
        "#include <algorithm>\n#include <map>\n#include <regex>\n#include <string>\n#include <vector>\n"
        "std::map<std::string, std::vector<int>> all;\n"
        "bool fits(const std::string& s) { return std::regex_match(s, std::regex(\"[a-z]+([0-9]*)\")); }\n"
        "void put(const std::string& s, int n) { all[s].push_back(n); std::sort(all[s].begin(), all[s].end()); }\n");
  };
  run_both(&pair, {"/usr/bin/clang++", "-std=c++17", "-O1", "-g0", "-c", "full.cpp", "-o", "full.o"}, {}, write_source);
  CHECK(read_file(pair.recorded_directory() / "full.o") == read_file(pair.native_directory() / "full.o"));
  uint64_t allocations = 0;
  for (const auto& entry : fs::directory_iterator(pair.recorded_directory())) {
    if (!entry.path().filename().string().starts_with("trace.")) continue;
    const Trace trace(entry.path());
    CHECK(trace.unknown_orphans() == 0);
    CHECK(trace.dropped() == 0);
    allocations += trace.allocations();
  }
  CHECK(allocations > 100'000);
}

TEST_CASE("git makes the same commit", "[real][programs]") {
  Pair pair;
  run_both(&pair,
           {"/bin/sh", "-c",
            "git init -q repo && cd repo && for i in 1 2 3 4 5; do echo $i >file$i; done && git add . && "
            "git commit -q -m first && git repack -q -a -d && git fsck --no-progress && git log --format=%H%n%s"},
           {"GIT_AUTHOR_DATE=2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z", "GIT_AUTHOR_NAME=a",
            "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
            "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
            // Not into the repository, where git would add the traces.
            "MEMPROF_OUTPUT=" + (pair.directory / "trace.%p.bin").string()});
}

TEST_CASE("gdb debugs a program", "[real][programs]") {
  Pair pair;
  // The program that it runs must not be stopped by what a preload brings: gdb's own heap is what is recorded.
  run_both(&pair,
           {"/usr/bin/gdb", "--batch", "-nx", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off", "-ex",
            "info line main", "-ex", "info functions grow", "-ex", "ptype main", host_path("malloc_family")});
  CHECK(pair.trace().dropped() == 0);
  CHECK(pair.trace().allocations() > 10'000);
}

TEST_CASE("node runs its JIT", "[real][programs]") {
  if (access("/usr/bin/node", X_OK) != 0) return skip("there is no /usr/bin/node");
  Pair pair;
  run_both(&pair, {"/usr/bin/node", "-e",
                   "const m = new Map(); for (let i = 0; i < 300000; i++) m.set('k' + (i % 5000), i);"
                   "let s = 0; for (const [k, v] of m) s += k.length * v; console.log(m.size, s);"
                   "require('zlib').gzip(Buffer.alloc(100000, 'x'), (e, b) => console.log(e, b.length));"});
  const Trace trace = pair.trace();
  CHECK(trace.dropped() == 0);
  CHECK(trace.unknown_orphans() == 0);
  CHECK(trace.allocations() > 1'000);
}

TEST_CASE("redis-server under redis-benchmark", "[real][programs]") {
  FreshDirectory directory;
  // The server is redis-tools' redis-check-rdb under its other name. It links jemalloc, and calls malloc by that name.
  fs::create_symlink("/usr/bin/redis-check-rdb", directory / "redis-server");
  const fs::path socket = directory / "socket";
  Process server({{(directory / "redis-server").string(), "--port", "0", "--unixsocket", socket.string(), "--save", "",
                   "--appendonly", "no", "--dir", directory.path().string()},
                  recording_environment(),
                  directory.path(),
                  "",
                  {}});
  REQUIRE(server.wait_for_output("ready to accept connections"));
  const Outcome benchmark = run({{"/usr/bin/redis-benchmark", "-s", socket.string(), "-q", "-n", "20000", "-c", "10",
                                  "-r", "5000", "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd,lrange_100,mset"},
                                 plain_environment(),
                                 directory.path(),
                                 "",
                                 {}});
  CHECK(benchmark.exit_status == 0);
  CHECK(benchmark.err.empty());
  const auto ask = [&](const std::vector<std::string>& words) {
    std::vector<std::string> command = {"/usr/bin/redis-cli", "-s", socket.string()};
    command.insert(command.end(), words.begin(), words.end());
    return run({command, plain_environment(), directory.path(), "", {}}).out;
  };
  CHECK(ask({"set", "answer", "42"}) == "OK\n");
  CHECK(ask({"get", "answer"}) == "42\n");
  ask({"shutdown", "nosave"});
  const Outcome outcome = server.finish();
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.out.find("bye bye") != std::string::npos);
  const Trace trace(directory / "trace.bin");
  CHECK(trace.complete());
  CHECK(trace.unknown_orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK(trace.allocations() > 100'000);
}
