"""What is measured: real programs, and micro-benchmarks that each do one thing."""
import dataclasses
import os
import pathlib
import shlex
import shutil
import subprocess

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
SYSTEM_PATH = "/usr/bin:/bin"
CHURN_PAIRS = {0: 4_000_000, 10: 4_000_000, 30: 3_000_000, 100: 2_000_000}  # by depth; a half with four threads
QUICK_CHURN_PAIRS = 100_000
SCALING = ("churn-10-t1", "churn-10-t2")  # events a second: the second over the first
REDIS_TESTS = "set,get,incr,lpush,lpop,sadd,hset,zadd,mset"


class Missing(Exception):
    """A program that a benchmark runs is not there."""


@dataclasses.dataclass
class Benchmark:
    name: str
    kind: str  # "real" or "micro"
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    files: list = dataclasses.field(default_factory=list)  # what it writes, to be the same in every run
    pairs: int = 0  # malloc and free in each thread
    threads: int = 1
    client: list = None  # the command is a server; this is what loads it
    stop: list = None  # and this ends it


def names(quick=False):
    churn = [f"churn-{depth}-t{threads}" for threads in ((1, 2) if quick else (1, 2, 4)) for depth in CHURN_PAIRS]
    return list(REAL) + churn + ["cross-free", "varied-recursion", "thread-start"]


def make(name, small, build, inputs):
    """The benchmark of that name: `small` is the work of --quick; `inputs` is a directory for its files."""
    if name in REAL:
        return REAL[name](name, small, inputs)
    pairs, threads = 0, 1
    if name.startswith("churn-"):
        depth, threads = (int(word.lstrip("t")) for word in name.split("-")[1:])
        pairs = QUICK_CHURN_PAIRS if small else CHURN_PAIRS[depth] // (2 if threads == 4 else 1)
        arguments = ["churn", depth, threads, pairs]
    else:
        arguments = {
            "cross-free": ["cross_free", 100_000 if small else 2_000_000],
            "varied-recursion": ["varied_recursion", 20_000 if small else 400_000],
            "thread-start": ["thread_start", 400 if small else 6_000],
        }[name]
    program = build / "tests" / "bench" / arguments[0]
    return Benchmark(name, "micro", [str(program)] + [str(argument) for argument in arguments[1:]], pairs=pairs,
                     threads=threads)


def program(name):
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def python3(name, small, _):
    return Benchmark(name, "real", [program("python3"), str(PROGRAMS / "mixed.py"), "6" if small else "40"],
                     {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


def perl(name, small, _):
    return Benchmark(name, "real", [program("perl"), str(PROGRAMS / "words.pl"), "25" if small else "200"],
                     {"PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"})


def sqlite3(name, small, inputs):
    script = inputs / f"orders-{'small' if small else 'full'}.sql"
    rows = 40_000 if small else 200_000
    script.write_text(f"create table parameters(rows); insert into parameters values({rows});\n"
                      + (PROGRAMS / "orders.sql").read_text())
    return Benchmark(name, "real", [program("sqlite3"), "-batch", ":memory:", f".read {script}"])


def clang(name, small, _):
    level = ["-O0", "-DBENCH_PARTS=0"] if small else ["-O1", "-DBENCH_PARTS=1"]
    return Benchmark(name, "real", [program("clang++"), "-std=c++17", *level, "-c", str(PROGRAMS / "library.cpp"),
                                    "-o", "library.o"], files=["library.o"])


def gcc(name, small, _):
    # The compiler proper, with the arguments that g++ gives it: heaptrack does not follow children. Not optimizing:
    # heaptrack 1.4's interpreter runs out of memory on cc1plus -O1.
    source = PROGRAMS / "library.cpp"
    driver = [program("g++"), "-std=c++17", "-O0", f"-DBENCH_PARTS={0 if small else 1}", "-S", str(source),
              "-o", "library.s"]
    plan = subprocess.run([*driver, "-###"], stderr=subprocess.PIPE, text=True, check=True).stderr
    command = next(shlex.split(line) for line in plan.splitlines() if "cc1plus" in line.split(" -", 1)[0])
    return Benchmark(name, "real", command, files=["library.s"])


def redis(name, small, inputs):
    # Debian's redis-tools holds the server too, under its other name.
    server = inputs / "redis-server"
    if not server.exists():
        os.symlink(program("redis-check-rdb"), server)
    socket = ["-s", "socket"]
    return Benchmark(
        name, "real",
        [str(server), "--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no", "--dir", "."],
        client=[program("redis-benchmark"), *socket, "-q", "-c", "10", "-P", "16", "-r", "10000", "-t", REDIS_TESTS,
                "-n", "10000" if small else "60000"],
        stop=[program("redis-cli"), *socket, "shutdown", "nosave"])


REAL = {"python3": python3, "perl": perl, "sqlite3": sqlite3, "clang++": clang, "g++": gcc, "redis": redis}
