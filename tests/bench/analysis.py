"""What memprof-analyze takes: against heaptrack's interpreter, by the event, and of a trace of 1,000,000,000 events."""
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

import corpus
import measure

PARTS = {  # and the figures of analysis_table.py that each finds
    "summary": ("summary_ratio", "summary_cpu_ratio", "summary_s", "summary_warm_s", "interpret_s", "print_s"),
    "pairing": ("pairing_rate", "pairing_scaling", "pairing_ns"),
    "large": ("large_rss", "large_s", "large_rate"),
    "large-cores": ("large_scaling", "large_one_rate"),
    "window": ("window_percent", "window_first_percent"),
    "compress": ("compressed_pair", "trace_pair", "compress_rate"),
}
HEAPTRACK_INTERPRETER = "/usr/lib/heaptrack/libexec/heaptrack_interpret"
SIZES = {"events": 1_000_000_000, "live": 1_000_000}
QUICK_SIZES = {"events": 5_000_000, "live": 100_000}
BYTES_AN_EVENT = 5  # of the synthetic trace, at most
SPARE_BYTES = 1_000_000_000
LARGE_DEADLINE_SECONDS = 3600
PLAIN = ("summary", "--no-symbols", "--json")
WINDOW = ("--from", "50%", "--to", "51%")


class Analysis:
    """Goes through the parts, and keeps the figures that they found, and why others were not found."""

    parts = PARTS

    def __init__(self, options, scratch, progress):
        self.options = options
        self.scratch = scratch
        self.progress = progress
        self.runner = measure.Runner(options.build, scratch)
        self.sizes = QUICK_SIZES if options.quick else SIZES
        self.kept = options.keep or scratch
        self.values = {}
        self.errors = {}
        self.samples = {}
        self.made = {}

    def all(self):
        for part in self.parts:
            if self.options.only and part not in self.options.only:
                continue
            try:
                self.values |= getattr(self, part.replace("-", "_"))()
            except (corpus.Missing, measure.Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                reason = f"{type(error).__name__} {error}" if isinstance(error, (KeyError, ValueError)) else str(error)
                self.errors |= {key: reason for key in self.parts[part]}
        self.progress("")

    def problems(self):
        return [f"{part}: {self.errors[keys[0]]}" for part, keys in self.parts.items() if keys[0] in self.errors]

    # The parts.

    def summary(self):
        """A summary with symbols, as a person types it. heaptrack has no cache, so memprof's is empty, too."""
        trace, recording = self.python_trace(), self.heaptrack_recording()
        cache = self.scratch / "warm-cache"
        ways = {
            "memprof": lambda: self.analyze("summary", trace),
            "memprof-warm": lambda: self.analyze("summary", trace, cache=cache),
            "interpret": lambda: self.interpret(recording),
            "print": lambda: self.launch(["heaptrack_print", "-f", self.scratch / "heaptrack.zst"]),
        }
        samples = self.take_turns("summary", ways, self.options.runs)
        self.check_same_run(samples["print"][-1]["output"], trace)
        seconds = {way: median_wall(its) for way, its in samples.items()}
        cpu = {way: statistics.median(sample["cpu_s"] for sample in its) for way, its in samples.items()}
        return {"summary_ratio": (seconds["interpret"] + seconds["print"]) / seconds["memprof"],
                "summary_cpu_ratio": (cpu["interpret"] + cpu["print"]) / cpu["memprof"],
                "summary_s": seconds["memprof"], "summary_warm_s": seconds["memprof-warm"],
                "interpret_s": seconds["interpret"], "print_s": seconds["print"]}

    def pairing(self):
        """From bytes to sites and their sums, with the start of the program and its JSON."""
        trace = self.python_trace()
        samples = self.take_turns("pairing", {f"jobs-{jobs}": lambda jobs=jobs: self.with_jobs(jobs, trace)
                                              for jobs in (1, 2)}, 3 * self.options.runs)
        one, two = samples["jobs-1"], samples["jobs-2"]
        self.check_equal("what two jobs print", two[-1]["output"], one[-1]["output"], "one prints")
        events = json.loads(one[-1]["output"])["trace"]["events"]
        seconds = median_wall(one)
        return {"pairing_rate": events / seconds / 1e6, "pairing_ns": seconds / events * 1e9,
                "pairing_scaling": statistics.median(alone["wall_s"] / both["wall_s"] for alone, both in zip(one, two))}

    def large(self):
        sample = self.full_pass()
        _, totals = self.synthetic_trace()
        wrong = differences(totals, json.loads(sample["output"]))
        if wrong:
            raise measure.Failed("the summary of the synthetic trace is wrong: " + "; ".join(wrong))
        return {"large_rss": sample["peak_rss_bytes"] / 1e6, "large_s": sample["wall_s"],
                "large_rate": self.sizes["events"] / sample["wall_s"] / 1e6}

    def large_cores(self):
        """Once each: it is long enough."""
        trace, _ = self.synthetic_trace()
        one, two = (self.with_jobs(jobs, trace, LARGE_DEADLINE_SECONDS) for jobs in (1, 2))
        self.check_equal("what two jobs print", two["output"], one["output"], "one prints")
        self.samples |= {"large-jobs-1": [one], "large-jobs-2": [two]}
        return {"large_scaling": one["wall_s"] / two["wall_s"],
                "large_one_rate": self.sizes["events"] / one["wall_s"] / 1e6}

    def window(self):
        """Without what a full pass leaves in the cache, and with it; the answer must be the same."""
        trace, _ = self.synthetic_trace()
        self.progress("window, before the full pass")
        first = self.analyze(*PLAIN, *WINDOW, trace, deadline=LARGE_DEADLINE_SECONDS)
        full = self.full_pass()
        ways = {"window": lambda: self.analyze(*PLAIN, *WINDOW, trace, cache=self.scratch / "large-cache",
                                               deadline=LARGE_DEADLINE_SECONDS)}
        samples = self.take_turns("window", ways, self.options.runs)
        self.samples["window-first"] = [first]
        last = samples["window"][-1]
        self.check_equal("the window after a full pass", last["output"], first["output"], "it was before")
        share = json.loads(first["output"])["allocations"] / json.loads(full["output"])["allocations"]
        if not 0.005 < share < 0.02:
            raise measure.Failed(f"the window holds {100 * share:.2f} % of the allocations, which cannot be")
        return {"window_percent": 100 * median_wall(samples["window"]) / full["wall_s"],
                "window_first_percent": 100 * first["wall_s"] / full["wall_s"]}

    def compress(self):
        """All bytes of the file, so whatever the compressed form is, they are what is kept on the disk."""
        trace = self.python_trace()
        packed = self.scratch / "compressed.bin"
        ways = {"compress": lambda: self.analyze("compress", "-o", packed, trace, replaces=packed)}
        samples = self.take_turns("compress", ways, self.options.runs)
        before, after = (json.loads(self.analyze(*PLAIN, file)["output"]) for file in (trace, packed))
        for summary in (before, after):
            del summary["trace"]["bytes"], summary["trace"]["compressed"]
        self.check_equal("the summary of the compressed trace", after, before, "it was before")
        statistics_of = json.loads(self.analyze("dump", "--stats", "--json", trace)["output"])
        pairs = (statistics_of["allocations"] + statistics_of["frees"]) / 2
        return {"compressed_pair": packed.stat().st_size / pairs, "trace_pair": trace.stat().st_size / pairs,
                "compress_rate": trace.stat().st_size / median_wall(samples["compress"]) / 1e6}

    # What they run.

    def take_turns(self, part, ways, rounds):
        """Samples by way. The first round is a warm-up, and who begins rotates."""
        samples = {way: [] for way in ways}
        order = list(ways)
        for number in range(-1, rounds):
            turn = max(number, 0) % len(order)
            # heaptrack_print reads what the interpreter has left: it has been there since the warm-up.
            for way in order[turn:] + order[:turn]:
                self.progress(f"{part}, {f'round {number + 1}' if number >= 0 else 'warm-up'}, {way}")
                sample = ways[way]()
                if number >= 0:
                    samples[way].append(sample)
        self.samples |= samples
        return samples

    def launch(self, command, environment=None, deadline=measure.DEADLINE_SECONDS):
        """The figures of one command, and what it printed."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="analysis-", dir=self.scratch))
        try:
            variables = {"MEMPROF_CACHE": str(directory / "cache")} | (environment or {})
            words = [str(word) for word in command]
            sample = self.runner.launch(variables, words, directory, "run").wait(deadline)
            sample["output"] = (directory / "run.out").read_text(errors="replace")
            if sample["status"] != 0:
                raise measure.Failed(f"{' '.join(words)}: exit status {sample['status']}: "
                                     f"{measure.last_line(directory / 'run.err')}")
            return sample
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def analyze(self, *arguments, processors=None, cache=None, replaces=None, deadline=measure.DEADLINE_SECONDS):
        """memprof-analyze, on these processors alone, with a cache of its own that is empty, unless `cache` is one."""
        if replaces is not None:
            replaces.unlink(missing_ok=True)
        pin = ["taskset", "-c", ",".join(map(str, processors))] if processors else []
        environment = {"MEMPROF_CACHE": str(cache)} if cache else {}
        return self.launch([*pin, self.runner.analyzer, *arguments], environment, deadline)

    def with_jobs(self, jobs, trace, deadline=measure.DEADLINE_SECONDS):
        """As many processors as jobs."""
        processors = sorted(os.sched_getaffinity(0))[:jobs]
        if len(processors) < jobs:
            raise measure.Failed(f"{jobs} processors are needed")
        self.progress(f"{trace.name}, --jobs {jobs}")
        return self.analyze(*PLAIN, "--jobs", str(jobs), trace, processors=processors, deadline=deadline)

    def interpret(self, recording):
        """As heaptrack does it, from a file that is not compressed."""
        return self.launch(["bash", "-c", 'set -o pipefail; "$1" < "$2" | zstd -cq > "$3"', "bash",
                            HEAPTRACK_INTERPRETER, recording, self.scratch / "heaptrack.zst"])

    def full_pass(self):
        """All of the synthetic trace, once; its index stays in the cache."""
        if "full" not in self.made:
            trace, _ = self.synthetic_trace()
            self.progress(f"{self.sizes['events']:,} events")
            sample = self.analyze(*PLAIN, trace, cache=self.scratch / "large-cache", deadline=LARGE_DEADLINE_SECONDS)
            self.samples["full"] = [sample]
            self.made["full"] = sample
        return self.made["full"]

    # What they read.

    def python_trace(self):
        if "python" not in self.made:
            self.progress("recording CPython with memprof")
            self.runner.run(self.python(), "memprof", keep=self.kept)
            self.made["python"] = self.kept / "python3.trace.bin"
        return self.made["python"]

    def heaptrack_recording(self):
        if "heaptrack" not in self.made:
            if not os.access(HEAPTRACK_INTERPRETER, os.X_OK):
                raise measure.Failed(f"{HEAPTRACK_INTERPRETER} is not there")
            self.progress("recording CPython with heaptrack")
            environment, command = self.runner.dressed(self.python(), "heaptrack-raw", self.scratch, {})
            self.launch(command, environment)
            recording = self.scratch / "heaptrack.raw"
            with open(recording, "wb") as out:
                subprocess.run(["zstd", "-dcq", f"{recording}.zst"], stdout=out, check=True)
            self.made["heaptrack"] = recording
        return self.made["heaptrack"]

    def python(self):
        return corpus.make("python3", self.options.quick, self.options.build, self.scratch)

    def synthetic_trace(self):
        """The trace, and what is true of it. In the directory of --keep it is made once for all runs."""
        if "synthetic" not in self.made:
            name = f"synthetic-{self.sizes['events']}-{self.sizes['live']}"
            trace, totals = self.kept / f"{name}.bin", self.kept / f"{name}.json"
            if not totals.exists() or not trace.exists():
                needed = self.sizes["events"] * BYTES_AN_EVENT + SPARE_BYTES
                free = shutil.disk_usage(self.kept).free
                if free < needed:
                    raise measure.Failed(f"the synthetic trace needs {needed / 1e9:.1f} GB in {self.kept}, which has "
                                         f"{free / 1e9:.1f} (TMPDIR and --keep say where it goes)")
                self.progress(f"writing {self.sizes['events']:,} events")
                trace.unlink(missing_ok=True)
                made = self.launch([self.options.build / "tests" / "bench" / "synthetic_trace", "-o", trace,
                                    "--events", self.sizes["events"], "--live", self.sizes["live"]],
                                   deadline=LARGE_DEADLINE_SECONDS)
                totals.write_text(made["output"])
            self.made["synthetic"] = trace, json.loads(totals.read_text())
        return self.made["synthetic"]

    # What must be true of what they print.

    def check_same_run(self, printed, trace):
        """heaptrack interpreted what memprof did: it counts a few calls otherwise, but not one in a hundred."""
        calls = re.search(r"calls to allocation functions: ([0-9]+)", printed)
        own = json.loads(self.analyze(*PLAIN, trace)["output"])["allocations"]
        if calls is None or abs(int(calls.group(1)) / own - 1) > 0.01:
            raise measure.Failed(f"heaptrack counts {calls.group(1) if calls else 'no'} calls, memprof {own}")

    @staticmethod
    def check_equal(what, found, expected, other):
        if found != expected:
            raise measure.Failed(f"{what} is not what {other}")


def median_wall(samples):
    return statistics.median(sample["wall_s"] for sample in samples)


def differences(expected, found, path=""):
    """Where `found` has not what `expected` has; more is no difference."""
    lines = []
    for key, value in expected.items():
        other = found.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            lines += differences(value, other, f"{path}{key}.")
        elif value != other:
            lines.append(f"{path}{key} {value}, found {other}")
    return lines
