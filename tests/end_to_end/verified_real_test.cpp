// Programs that people use, with little work to do: every stack is unwound again by libunwind, and none may differ.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "host.h"
#include "skip.h"
#include "twin_runs.h"

using namespace memprof::tests;
namespace fs = std::filesystem;

namespace {

// `least_checked`: in all processes that the command starts.
void verify(const std::vector<std::string>& command, uint64_t least_checked, std::vector<std::string> settings = {},
            const std::function<void(const fs::path&)>& prepare = {}) {
  Pair pair;
  settings.push_back("MEMPROF_VERIFY_STACKS=1");
  run_both(&pair, command, settings, prepare);
  check_verified(traces_in(pair.recorded_directory()), least_checked);
}

void write_source(const fs::path& directory) {
  write_file(directory / "small.cpp",
             "#include <vector>\n"
             "template <int n> struct Sum { static int of(int x) { return x * n + Sum<n - 1>::of(x + 1); } };\n"
             "template <> struct Sum<0> { static int of(int x) { return x; } };\n"
             "int all(const std::vector<int>& v) { int s = 0; for (int x : v) s += Sum<40>::of(x); return s; }\n");
}

}  // namespace

TEST_CASE("every stack of CPython is libunwind's", "[real][verified]") {
  verify({"/usr/bin/python3", "-c",
          "import json, re, collections, threading\n"
          "text = json.dumps([{'key %d' % i: list(range(i % 20))} for i in range(700)])\n"
          "results = []\n"
          "threads = [threading.Thread(target=lambda n=n: results.append(sorted(str(x * n) for x in range(500))[7])) "
          "for n in range(3)]\n"
          "[t.start() for t in threads]; [t.join() for t in threads]\n"
          "print(collections.Counter(re.findall(r'[0-9]+', text)).most_common(3), sorted(results))\n"},
         50'000, {"PYTHONMALLOC=malloc", "PYTHONHASHSEED=0"});
}

TEST_CASE("every stack of perl is libunwind's", "[real][verified]") {
  verify({"/usr/bin/perl", "-e",
          "my %h; for my $i (1..50000) { $h{$i % 20011} = [$i, 'text ' . $i]; } "
          "my $n = 0; $n += @$_ for values %h; print \"$n\\n\"; exit 0;"},
         80'000, {"PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0"});
}

TEST_CASE("every stack of sqlite3 is libunwind's", "[real][verified]") {
  verify({"/usr/bin/sqlite3", ":memory:",
          "create table t(a integer primary key, b text, c real);"
          "with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)"
          " insert into t select i, 'row number ' || i, i * 1.5 from n;"
          "create index i on t(b); select count(*), sum(c), max(b) from t;"},
         70'000);
}

TEST_CASE("every stack of clang++ is libunwind's", "[real][verified]") {
  verify({"/usr/bin/clang++", "-std=c++17", "-O1", "-c", "small.cpp", "-o", "small.o"}, 40'000, {}, write_source);
}

TEST_CASE("every stack of g++, cc1plus and the assembler is libunwind's", "[real][verified]") {
  verify({"/usr/bin/g++", "-std=c++17", "-O1", "-c", "small.cpp", "-o", "small.o"}, 40'000, {}, write_source);
}

TEST_CASE("every stack of gdb is libunwind's", "[real][verified]") {
  verify({"/usr/bin/gdb", "--batch", "-nx", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off", "-ex",
          "info line main", "-ex", "ptype main", host_path("malloc_family")},
         10'000);
}

// Most of these processes live for a few hundred allocations.
TEST_CASE("every stack of git's processes is libunwind's", "[real][verified]") {
  verify({"/bin/sh", "-c",
          "git init -q repo && cd repo && for i in 1 2 3 4 5; do echo $i >file$i; done && git add . && "
          "git commit -q -m first && git repack -q -a -d && git fsck --no-progress && git log --format=%H%n%s"},
         1'500,
         {"GIT_AUTHOR_DATE=2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z", "GIT_AUTHOR_NAME=a",
          "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
          "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"});
}

TEST_CASE("every stack of node is libunwind's, as far as its JIT lets one see", "[real][verified]") {
  if (access("/usr/bin/node", X_OK) != 0) return skip("there is no /usr/bin/node");
  verify({"/usr/bin/node", "-e",
          "const m = new Map(); for (let i = 0; i < 300000; i++) m.set('k' + (i % 5000), i);"
          "let s = 0; for (const [k, v] of m) s += k.length * v; console.log(m.size, s);"
          "require('zlib').gzip(Buffer.alloc(100000, 'x'), (e, b) => console.log(e, b.length));"},
         10'000);
}

TEST_CASE("every stack of redis-server is libunwind's", "[real][verified]") {
  FreshDirectory directory;
  // The server is redis-tools' redis-check-rdb under its other name.
  fs::create_symlink("/usr/bin/redis-check-rdb", directory / "redis-server");
  const fs::path socket = directory / "socket";
  Process server({{(directory / "redis-server").string(), "--port", "0", "--unixsocket", socket.string(), "--save", "",
                   "--appendonly", "no", "--dir", directory.path().string()},
                  recording_environment({"MEMPROF_VERIFY_STACKS=1"}),
                  directory.path(),
                  "",
                  {}});
  REQUIRE(server.wait_for_output("ready to accept connections"));
  const auto client = [&](std::vector<std::string> command) {
    command.insert(command.begin() + 1, {"-s", socket.string()});
    return run({command, plain_environment(), directory.path(), "", {}});
  };
  const Outcome benchmark = client({"/usr/bin/redis-benchmark", "-q", "-n", "3000", "-c", "10", "-r", "5000", "-t",
                                    "set,get,incr,lpush,lpop,sadd,hset,zadd,lrange_100,mset"});
  CHECK(benchmark.exit_status == 0);
  client({"/usr/bin/redis-cli", "shutdown", "nosave"});
  CHECK(server.finish().exit_status == 0);
  check_verified(traces_in(directory.path()), 50'000);
}
