"""One item in both ways, in twin directories, and what comes of it."""
import dataclasses
import shutil

import known
import run
import verdict
from traces import Traces

ROUNDS = 3  # a difference is looked at this often before it counts; what hangs is not tried again


@dataclasses.dataclass
class Result:
    name: str
    state: str = "passed"  # or failed, skipped
    native: str = ""
    recorded: str = ""
    tests: int = 0
    events: int = 0
    traces: int = 0
    died: int = 0  # processes that a signal ended: their traces are whole up to there, but not closed
    unborn: int = 0  # of processes that a signal ended while they began the trace: nothing in it can be read
    dropped: dict = dataclasses.field(default_factory=dict)
    unknown_orphans: int = 0
    double_allocations: int = 0
    stacks_checked: int = 0
    stack_mismatches: int = 0
    trace_bytes: int = 0
    native_seconds: float = 0
    recorded_seconds: float = 0
    differences: dict = dataclasses.field(default_factory=dict)  # test: (native, recorded)
    explained: dict = dataclasses.field(default_factory=dict)  # test: why it differs
    unstable: dict = dataclasses.field(default_factory=dict)  # test: what the rounds said
    problems: list = dataclasses.field(default_factory=list)


class Twins:
    def __init__(self, build, scratch, keep, progress):
        self.library = build / "preload" / "libmemprof.so"
        self.analyzer = build / "analyzer" / "memprof-analyze"
        self.scratch = scratch
        self.keep = keep
        self.progress = progress
        self.left_natively = 0  # a test may leave processes behind by itself

    def both(self, item):
        result = Result(item.name)
        seen = {"native": [], "record": []}
        for number in range(ROUNDS):
            for way, verdicts in seen.items():
                self.progress(f"{item.name}, {way}" + (f", again ({number + 1})" if number else ""))
                verdicts.append(self.one(item, way, result, first=number == 0))
            result.differences = stable_differences(seen)
            hung = verdict.HUNG in (verdicts[-1]["exit status"] for verdicts in seen.values())
            if hung or not any(known.reason(item.name, test) is None for test in result.differences):
                break
        result.native, result.recorded = verdict.in_short(seen["native"][0]), verdict.in_short(seen["record"][-1])
        result.tests = len(seen["record"][-1].keys() - {"exit status", "stdout", "stderr"}) or 1
        result.unstable = unstable(seen, result.differences)
        for test in list(result.differences):
            why = known.reason(item.name, test)
            if why is not None:
                result.explained[test] = why
                del result.differences[test]
        if result.differences or result.problems:
            result.state = "failed"
        return result

    def one(self, item, way, result, first):
        directory = run.fresh(self.scratch / way)
        if item.prepare is not None:
            item.prepare(directory / "work")
        outcome = run.run(item.command, self.environment(item, way, directory), directory, item.deadline_seconds)
        found = item.read(outcome, directory)
        if way == "native":
            self.left_natively = len(outcome.left)
            if first:
                result.native_seconds = outcome.seconds
            return found
        if len(outcome.left) > self.left_natively:
            result.problems.append(f"more processes left behind than natively: {'; '.join(outcome.left[:3])}")
        self.progress(f"{item.name}, traces")
        traces = Traces(self.analyzer, directory / "traces")
        if first:
            result.recorded_seconds = outcome.seconds
            result.events, result.traces, result.trace_bytes = traces.events, traces.count, traces.bytes
            result.died, result.unborn = traces.ends["died"], traces.unborn
        for cause, count in traces.dropped.items():
            result.dropped[cause] = result.dropped.get(cause, 0) + count
        result.unknown_orphans += traces.unknown_orphans
        result.double_allocations += traces.double_allocations
        result.stacks_checked += traces.checked
        result.stack_mismatches += traces.mismatches
        if traces.count == 0:
            result.problems.append("there is no trace")
        for what, file in traces.problems:
            result.problems.append(f"{file.name}: {what}")
            self.put_aside(item, file)
        result.problems += item.check(outcome, traces) if item.check is not None else []
        if self.keep is not None:
            for name in ("stdout", "stderr"):
                shutil.copy(directory / name, self.keep / f"{item.name}.{name}")
        return found

    def environment(self, item, way, directory):
        environment = dict(item.environment)
        preloads = [str(item.below)] if item.below is not None else []
        if way == "record":
            preloads.insert(0, str(self.library))
            environment |= {"MEMPROF_OUTPUT": str(directory / "traces" / "trace.%p.%n.bin"), "MEMPROF_LIMIT": "2G",
                            **item.settings}
        if preloads:
            environment["LD_PRELOAD"] = ":".join(preloads)
        return environment

    def put_aside(self, item, file):
        if self.keep is not None:
            shutil.copy(file, self.keep / f"{item.name}.{file.name}")


def stable_differences(seen):
    """The tests of which no round of one way said what a round of the other said."""
    differing = {}
    for test in {test for verdicts in seen.values() for found in verdicts for test in found}:
        native, recorded = ([found.get(test, "not run") for found in seen[way]] for way in ("native", "record"))
        if not set(native) & set(recorded):
            differing[test] = (native[-1], recorded[-1])
    return dict(sorted(differing.items()))


def unstable(seen, differences):
    """The tests that said one thing, then another, in the same way of running."""
    found = {}
    for test in {test for verdicts in seen.values() for one in verdicts for test in one} - differences.keys():
        said = {way: [one.get(test, "not run") for one in verdicts] for way, verdicts in seen.items()}
        if any(len(set(outcomes)) > 1 for outcomes in said.values()):
            found[test] = said
    return dict(sorted(found.items()))
