"""One run of one benchmark in one way (native, memprof, heaptrack, heaptrack-raw), in a directory of its own."""
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

DEADLINE_SECONDS = 180
HEAPTRACK = {"heaptrack": [], "heaptrack-raw": ["--raw"]}


class Failed(Exception):
    """A run that did not do what it should."""


class Runner:
    def __init__(self, build, scratch):
        self.launcher = build / "tests" / "bench" / "launch"
        self.library = build / "preload" / "libmemprof.so"
        self.analyzer = build / "analyzer" / "memprof-analyze"
        self.scratch = scratch
        self.expected = {}

    def run(self, benchmark, way, settings=None, keep=None, analyse=False):
        """The figures of one run. Checks that its status and output are those of the native run, which comes first."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{way}-", dir=self.scratch))
        try:
            environment, command = self.dressed(benchmark, way, directory, settings or {})
            if benchmark.client is None:
                sample = self.launch(environment, command, directory, "run").wait()
                output = (directory / "run.out").read_bytes()
                self.check_output(benchmark, way, output, directory)
            else:
                sample = self.serve(benchmark, environment, command, directory)
            if sample["status"] != 0:
                raise Failed(f"exit status {sample['status']}: {last_line(directory / 'run.err')}")
            if way == "memprof":
                traces = sorted(directory.glob("trace*.bin"))
                sample["trace_bytes"] = sum(trace.stat().st_size for trace in traces)
                if analyse:
                    sample["trace"] = self.explain(traces)
                if keep is not None:
                    for trace in traces:
                        shutil.copy(trace, keep / f"{benchmark.name}.{trace.name}")
            elif way != "native" and not glob.glob(str(directory / "heaptrack.*")):
                raise Failed("it left no recording")
            return sample
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def dressed(self, benchmark, way, directory, settings):
        """Environment and command of a way to run the benchmark."""
        environment = dict(benchmark.environment)
        if way == "memprof":
            environment |= {"LD_PRELOAD": str(self.library), "MEMPROF_OUTPUT": str(directory / "trace.bin"), **settings}
        if way in HEAPTRACK:
            return environment, ["heaptrack", *HEAPTRACK[way], "-o", str(directory / "heaptrack"), *benchmark.command]
        return environment, benchmark.command

    def launch(self, environment, command, directory, name):
        return Launched(self.launcher, environment, command, directory, name)

    def serve(self, benchmark, environment, command, directory):
        """The wall time of the client's work; processor time and memory of the whole life of the server."""
        server = self.launch(environment, command, directory, "run")
        try:
            give_up = time.monotonic() + 30
            while not (directory / "socket").exists():
                if server.process.poll() is not None or time.monotonic() > give_up:
                    raise Failed(f"the server does not come up: {last_line(directory / 'run.err')}")
                time.sleep(0.01)
            client = self.launch({}, benchmark.client, directory, "client").wait()
            if client["status"] != 0:
                raise Failed(f"its client ended with {client['status']}: {last_line(directory / 'client.err')}")
            self.launch({}, benchmark.stop, directory, "stop").wait()
            sample = server.wait()
        finally:
            server.kill()
        return sample | {"wall_s": client["wall_s"]}

    def check_output(self, benchmark, way, output, directory):
        files = {file: (directory / file).read_bytes() for file in benchmark.files if (directory / file).exists()}
        if way == "native":
            expected = self.expected.setdefault(tuple(benchmark.command), (output, files))
        else:
            expected = self.expected.get(tuple(benchmark.command))
        if expected is None:
            return
        # heaptrack says things of its own on standard output.
        if output != expected[0] if way not in HEAPTRACK else expected[0] not in output:
            raise Failed("its standard output differs from the native run's")
        if files != expected[1]:
            raise Failed("the files that it wrote differ from the native run's")

    def explain(self, traces):
        """What memprof-analyze says of the traces."""
        if not traces:
            raise Failed("it left no trace")
        found = {"events": 0, "own_bytes": None, "pair_bytes": None, "checked": 0, "mismatches": 0, "whole": True}
        for trace in traces:
            summary = json.loads(self.analyzer_says("summary", "--json", "--no-symbols", "--top", "1", str(trace)))
            header = summary["trace"]
            found["events"] += header["events"]
            found["whole"] &= header["complete"] and header["dropped_events"] == 0
            found["checked"] += summary["verify"]["checked"]
            found["mismatches"] += summary["verify"]["mismatches"]
            own = header.get("recorder_memory_bytes")
            if own is not None:
                found["own_bytes"] = max(found["own_bytes"] or 0, own)
            statistics = self.analyzer_says("dump", "--stats", str(trace))
            pair = re.search(r"bytes an alloc\+free pair\s+([0-9.]+)", statistics)
            if pair:
                found["pair_bytes"] = max(found["pair_bytes"] or 0.0, float(pair.group(1)))
        return found

    def analyzer_says(self, *arguments):
        done = subprocess.run([self.analyzer, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=DEADLINE_SECONDS, check=False)
        if done.returncode != 0:
            raise Failed(f"memprof-analyze {arguments[0]}: exit status {done.returncode}: {done.stderr.strip()[-200:]}")
        return done.stdout


class Launched:
    """A command under the launcher, in a process group of its own, so that nothing of it stays behind."""

    def __init__(self, launcher, environment, command, directory, name):
        self.report = directory / f"{name}.json"
        variables = [f"{key}={value}" for key, value in environment.items()]
        with open(directory / f"{name}.out", "wb") as out, open(directory / f"{name}.err", "wb") as err:
            self.process = subprocess.Popen([launcher, self.report, *variables, "--", *command], cwd=directory,
                                            env=plain_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            start_new_session=True)

    def wait(self, deadline=DEADLINE_SECONDS):
        try:
            self.process.wait(deadline)
            taken = json.loads(self.report.read_text())
        except subprocess.TimeoutExpired:
            raise Failed(f"it took more than {deadline} s") from None
        except (OSError, ValueError):
            raise Failed("the launcher failed") from None
        finally:
            self.kill()
        return {"wall_s": taken["wall_ns"] / 1e9, "cpu_s": (taken["user_us"] + taken["system_us"]) / 1e6,
                "user_s": taken["user_us"] / 1e6, "system_s": taken["system_us"] / 1e6,
                "peak_rss_bytes": taken["peak_rss_kib"] * 1024, "status": taken["status"]}

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def plain_environment():
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("MEMPROF_", "LD_", "PYTHON", "PERL", "DEBUGINFOD"))}
    return kept | {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}


def last_line(file):
    lines = file.read_text(errors="replace").strip().splitlines() if file.exists() else []
    return lines[-1][:200] if lines else "no message"
