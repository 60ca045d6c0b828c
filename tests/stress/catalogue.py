"""What is run: other people's suites, other allocators, and the long part of the fault matrix."""
import dataclasses
import pathlib
import shutil
import subprocess

import sources
import verdict

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
ALLOCATORS = {"jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}
PYTHON_MODULES = ["test_json", "test_re", "test_fork1", "test_ctypes", "test_signal", "test_threading",
                  "test_subprocess"]
# The directories of perl's t/: the rest needs a built source tree (lib, porting), or is no test of the interpreter.
PERL_PARTS = {"op": ["op/*.t"], "re": ["re/*.t"],
              "rest": ["base/*.t", "cmd/*.t", "comp/*.t", "io/*.t", "mro/*.t", "opbasic/*.t", "uni/*.t", "run/*.t"]}
PERL_QUICK = {"op": ["op/a*.t", "op/fork.t", "op/sprintf.t"], "re": ["re/reg_eval*.t"], "rest": ["cmd/*.t"]}
HOSTS = ["churn", "many_threads", "forks_among_threads", "distinct_stacks", "threads_pass_blocks", "threads_realloc"]


class Skip(Exception):
    """Why an item cannot be run here."""


@dataclasses.dataclass
class Item:
    name: str
    command: list
    read: object  # one of verdict.py
    environment: dict = dataclasses.field(default_factory=dict)
    settings: dict = dataclasses.field(default_factory=dict)  # of memprof
    below: str = None  # a library preloaded in both runs, below memprof
    prepare: object = None  # fills the directory that the command is run in
    check: object = None  # what the traces must say exactly: (outcome, traces) to a list of what is wrong
    deadline_seconds: int = 1800


@dataclasses.dataclass
class Work:
    """How much is to be done, and where things are."""
    quick: bool
    minutes: float
    build: pathlib.Path


def names():
    return list(MAKERS)


def make(name, work):
    return MAKERS[name](name, work)


def need(*paths):
    for path in paths:
        if not pathlib.Path(path).exists():
            raise Skip(f"there is no {path}")


# ---- Suites ----------------------------------------------------------------------------------------------------


def cpython(name, _):
    module = name.removeprefix("cpython-")
    need("/usr/bin/python3", "/usr/lib/python3.11/test/test_json")
    return Item(name, ["/usr/bin/python3", "-m", "test", "--junit-xml", "results.xml", "-v", "--timeout", "900", module],
                verdict.junit, {"PYTHONMALLOC": "malloc"})


def numpy(name, work):
    need("/usr/bin/python3", "/usr/lib/python3/dist-packages/numpy/core/tests", "/usr/lib/python3/dist-packages/pytest",
         "/usr/lib/python3/dist-packages/hypothesis")
    parts = ["core.tests.test_indexing"] if work.quick else ["core.tests.test_indexing", "core.tests.test_nditer",
                                                             "linalg.tests"]
    return Item(name, ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml", "results.xml",
                       "--pyargs", *[f"numpy.{part}" for part in parts]],
                verdict.junit, {"PYTHONMALLOC": "malloc", "HYPOTHESIS_STORAGE_DIRECTORY": "/nonexistent"})


def perl(name, work):
    """perl's own tests, which only its source package has, with the installed perl of the same version."""
    part = name.removeprefix("perl-")
    need("/usr/bin/perl", "/usr/bin/prove")
    version = subprocess.run(["/usr/bin/perl", "-e", "printf '%vd', $^V"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout
    try:
        source = sources.unpacked("perl", f"perl-{version}", work.build / "sources")
    except sources.Unavailable as error:
        raise Skip(str(error)) from error
    patterns = (PERL_QUICK if work.quick else PERL_PARTS)[part]
    tests = sorted(str(file.relative_to(source / "t")) for pattern in patterns for file in (source / "t").glob(pattern))

    def prepare(directory):
        # The layout of a built source: t/ beside lib/, and perl itself in both places where the tests look.
        shutil.copytree(source / "t", directory / "t", symlinks=True)
        for library in (f"/usr/share/perl/{version}", f"/usr/lib/x86_64-linux-gnu/perl/{version}",
                        "/usr/lib/x86_64-linux-gnu/perl-base"):
            subprocess.run(["cp", "-rsf", f"{library}/.", directory / "lib"], check=True)
        for link in (directory / "perl", directory / "t" / "perl"):
            link.symlink_to("/usr/bin/perl")
        (directory / "tap").mkdir()

    (work.build / "sources").mkdir(exist_ok=True)
    return Item(name, ["/bin/sh", "-c", 'cd t && exec prove -j2 --exec ./perl "$@"', "prove", *tests], verdict.tap,
                {"PERL_CORE": "1", "PERL_TEST_HARNESS_DUMP_TAP": "../tap"}, prepare=prepare)


# ---- Allocators and servers ------------------------------------------------------------------------------------


def allocator(name, work):
    """A stress program with another allocator preloaded below memprof, or glibc's for comparison."""
    library, program = name.split("-", 1)
    below = None
    if library in ALLOCATORS:
        below = LIBRARIES / ALLOCATORS[library]
        need(below)
    hosts = work.build / "tests" / "hosts"
    settings = {"MEMPROF_VERIFY_STACKS": "101"}
    if program == "python":
        need("/usr/bin/python3")
        return Item(name, ["/usr/bin/python3", str(HERE.parent / "bench" / "programs" / "mixed.py"),
                           "4" if work.quick else "40"], verdict.output, {"PYTHONMALLOC": "malloc"}, settings, below)
    if program == "stress-ng":
        need("/usr/bin/stress-ng")
        operations = "20000" if work.quick else "400000"
        return Item(name, ["/usr/bin/stress-ng", "--quiet", "--verify", "--malloc", "2", "--malloc-pthreads", "4",
                           "--malloc-max", "4000", "--malloc-bytes", "32k", "--malloc-ops", operations], verdict.output,
                    settings=settings, below=below)
    return Item(name, [str(hosts / program.replace("-", "_"))], verdict.output, settings=settings, below=below,
                check=as_the_host_says, deadline_seconds=120)


def redis(name, work):
    need("/usr/bin/python3", "/usr/bin/redis-check-rdb", "/usr/bin/redis-benchmark")
    seconds = 3 if work.quick else 60 * work.minutes
    return Item(name, ["/usr/bin/python3", str(PROGRAMS / "redis_for.py"), str(seconds)], verdict.lines,
                settings={"MEMPROF_VERIFY_STACKS": "1009", "MEMPROF_LIMIT": "32G"}, deadline_seconds=600 + 2 * seconds)


def linked_mimalloc(name, work):
    """mimalloc as a part of the program, in place of malloc: nothing asks the loader for it."""
    program = from_source(sources.mimalloc_host, work)
    return Item(name, [str(program)], verdict.output, check=as_the_host_says, deadline_seconds=120)


def redis_of_source(name, work):
    """redis as its makers build it: with the jemalloc that comes with it, linked in under the prefix je_."""
    need("/usr/bin/python3", "/usr/bin/redis-benchmark")
    server = from_source(sources.redis_server, work)
    seconds = 3 if work.quick else 60 * work.minutes
    return Item(name, ["/usr/bin/python3", str(PROGRAMS / "redis_for.py"), str(seconds), str(server)], verdict.lines,
                settings={"MEMPROF_VERIFY_STACKS": "1009", "MEMPROF_LIMIT": "32G"}, check=calls_its_jemalloc,
                deadline_seconds=600 + 2 * seconds)


def from_source(build, work):
    try:
        return build(work.build / "sources")
    except sources.Unavailable as error:
        raise Skip(str(error)) from error


def calls_its_jemalloc(_, traces):
    """Nearly all blocks of the server are jemalloc's, and nearly all of them are freed."""
    _, file = traces.largest()
    groups = traces.allocators(file)
    own = sum(count for name, count in groups.items() if name.startswith("je_"))
    total = sum(groups.values())
    return [] if own > 0.99 * total else [f"{own:,} of {total:,} blocks are of jemalloc's functions: {groups}"]


# ---- The long part of the fault matrix -------------------------------------------------------------------------


def scale(name, work):
    hosts = work.build / "tests" / "hosts"
    command = {
        "events-100M": ["churn", 500_000 if work.quick else 50_000_000],
        "forks-1000": ["forks_among_threads", 100 if work.quick else 1000],
        "threads-10000": ["many_threads", 1000 if work.quick else 10_000, 50],
        "threads-1000-at-once": ["many_threads", 1000, 1000],
        "stacks-2^20": ["distinct_stacks", 14 if work.quick else 20],
    }[name]
    return Item(name, [str(hosts / command[0]), str(command[1]), *map(str, command[2:])], verdict.output,
                check=as_the_host_says, settings={"MEMPROF_VERIFY_STACKS": "1009"} if name.startswith("stacks") else {})


def as_the_host_says(outcome, traces):
    """The host prints what it did (tests/hosts/tally.h); the trace of the process with the most events must say so. A
    process that a host forks has fewer. What the C runtimes allocate for themselves and keep (a thread's table of
    thread-local storage, libstdc++'s pool for exceptions) is not the host's: its caller is not."""
    largest = traces.largest()
    if largest is None:
        return ["there is no trace"]
    summary, file = largest
    foreign = [chunk["size"] for chunk in traces.chunks(file, "open")
               if chunk["domain"] == "cpu" and (not chunk["stack"]
                                                or chunk["stack"][0]["module"] != summary["trace"]["executable"])]
    has = {"allocations": summary["allocations"] - len(foreign), "frees": summary["frees"],
           "bytes": summary["bytes_allocated"] - sum(foreign), "open": summary["open"]["chunks"] - len(foreign),
           "open_bytes": summary["open"]["bytes"] - sum(foreign), "orphans": summary["orphaned"]["chunks"],
           "threads": summary["trace"]["threads"], "stacks": summary["stacks"], "events": summary["trace"]["events"]}
    wrong = []
    for line in outcome.out.decode().splitlines():
        if not line.startswith("expect "):
            continue
        _, key, value = line.split()
        if key in has and has[key] != int(value):
            wrong.append(f"{has[key]:,} {key} in the trace, and {int(value):,} by the host's count")
    return wrong


MAKERS = {f"cpython-{module}": cpython for module in PYTHON_MODULES}
MAKERS |= {f"perl-{part}": perl for part in PERL_PARTS}
MAKERS["numpy"] = numpy
MAKERS |= {f"{library}-{program}": allocator for library in ALLOCATORS
           for program in ("python", "stress-ng", "threads-pass-blocks", "threads-realloc")}
MAKERS["redis"] = redis
MAKERS["mimalloc-linked"] = linked_mimalloc
MAKERS["redis-own-jemalloc"] = redis_of_source
MAKERS |= dict.fromkeys(["events-100M", "forks-1000", "threads-10000", "threads-1000-at-once", "stacks-2^20"], scale)
