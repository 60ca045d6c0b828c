"""What the leak gate takes: a snapshot and its verdict on top of a recording, next to memcheck."""
import json
import re
import statistics

import analysis
import analysis_table
import corpus
import measure

PARTS = {  # and the figures below that each finds
    "json-text": ("json_ratio", "json_memcheck", "json_recorded_s", "json_snapshot_s", "json_check_s"),
    "kept-heap": ("kept_ratio", "kept_memcheck", "kept_recorded_s", "kept_snapshot_s", "kept_check_s"),
    "pause": ("pause_ms", "pause_all_s", "pause_bytes"),
}
Figure = analysis_table.Figure
# The one place where these figures stand.
REACH = {
    "json_ratio": Figure("CPython, JSON: recorded with a snapshot ÷ recorded alone", 1.1, 1.05, "{:.2f}", True, True),
    "json_memcheck": Figure("the same and check, times as fast as memcheck", 10, 25, "{:.1f}", of_large=True),
    "pause_ms": Figure("pause for a snapshot, {held_mb:,} MB in {held:,} blocks, ms", 1000, 100, "{:.1f}", True, True),
}
# What helps to understand them.
ALSO = {
    "json_recorded_s": Figure("CPython, JSON: recorded, s", form="{:.3f}"),
    "json_snapshot_s": Figure("the same, with a snapshot, s", form="{:.3f}"),
    "json_check_s": Figure("check of that, no cache, s", form="{:.3f}"),
    "kept_ratio": Figure("CPython that ends with 60 MB of heap: recorded with a snapshot ÷ recorded alone"),
    "kept_memcheck": Figure("the same and check, times as fast as memcheck", form="{:.1f}"),
    "kept_recorded_s": Figure("the same, recorded, s", form="{:.3f}"),
    "kept_snapshot_s": Figure("the same, with a snapshot, s", form="{:.3f}"),
    "kept_check_s": Figure("check of that, no cache, s", form="{:.3f}"),
    "pause_all_s": Figure("until that snapshot is written, s"),
    "pause_bytes": Figure("bytes a word of it"),
}
PYTHON = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}
JSON = "import json\nfor i in range({rounds}): json.loads(json.dumps([{{'key %d' % j: [j] * 9}} for j in range(600)]))"
KEPT = "kept = [{{'key %d' % j: [str(j)] * 4}} for j in range({rounds})]\nimport os, sys\nsys.stdout.flush()\nos._exit(0)"
ROUNDS = {"json": 120, "kept": 120_000}
QUICK_ROUNDS = {"json": 12, "kept": 6_000}


class Gate(analysis.Analysis):
    """Goes through the parts as the analysis does."""

    parts = PARTS

    def __init__(self, options, scratch, progress):
        super().__init__(options, scratch, progress)
        self.sizes = {"held": 1 << (12 if options.quick else 24), "held_mb": 1 if options.quick else 1024}

    def json_text(self):
        return self.compare("json", JSON)

    def kept_heap(self):
        return self.compare("kept", KEPT)

    def compare(self, part, program):
        rounds = (QUICK_ROUNDS if self.options.quick else ROUNDS)[part]
        command = [corpus.program("python3"), "-S", "-c", program.format(rounds=rounds)]
        ways = {"never": lambda: self.recorded(command, "never"), "exit": lambda: self.recorded(command, "exit"),
                "check": self.check}
        samples = self.take_turns(part, ways, 2 * self.options.runs - 1)
        memcheck = self.launch([corpus.program("valgrind"), "--quiet", "--leak-check=full", "--show-leak-kinds=all",
                                "--log-file=/dev/null", *command], PYTHON)
        recorded, with_snapshot, check = (analysis.median_wall(samples[way]) for way in ways)
        ratio = statistics.median(both["wall_s"] / alone["wall_s"]
                                  for alone, both in zip(samples["never"], samples["exit"]))
        return {f"{part}_ratio": ratio, f"{part}_memcheck": memcheck["wall_s"] / (with_snapshot + check),
                f"{part}_recorded_s": recorded, f"{part}_snapshot_s": with_snapshot, f"{part}_check_s": check}

    def recorded(self, command, snapshot):
        trace = self.scratch / f"gate-{snapshot}.bin"
        trace.unlink(missing_ok=True)
        return self.launch(["env", f"LD_PRELOAD={self.runner.library}", f"MEMPROF_OUTPUT={trace}",
                            f"MEMPROF_SNAPSHOT={snapshot}", *command], PYTHON)

    def check(self):
        """A verdict is one, red or green."""
        return self.launch(["sh", "-c", '"$1" check "$2"; [ $? -le 1 ]', "sh", self.runner.analyzer,
                            self.scratch / "gate-exit.bin"])

    def pause(self):
        """What the snapshot says of itself."""
        trace = self.scratch / "pause.bin"
        program = self.options.build / "tests" / "bench" / "holds_memory"
        held, written, bytes_a_word = [], [], []
        for number in range(self.options.runs):
            self.progress(f"pause, run {number + 1}")
            trace.unlink(missing_ok=True)
            self.launch(["env", f"LD_PRELOAD={self.runner.library}", f"MEMPROF_OUTPUT={trace}", "MEMPROF_SNAPSHOT=exit",
                         program, str(self.sizes["held"])])
            # All words, of which the last line tells.
            end = self.launch(["sh", "-c", '"$1" dump --snapshots "$2" | tail -n 1', "sh", self.runner.analyzer, trace])
            found = re.search(r"end  words (\d+)  scanned \d+ bytes  held (\d+) ns  took (\d+) ns", end["output"])
            if not found:
                raise measure.Failed("there is no whole snapshot")
            words, held_ns, took_ns = map(int, found.groups())
            streams = json.loads(self.analyze("dump", "--stats", "--json", trace)["output"])["streams"]
            held.append(held_ns)
            written.append(took_ns)
            bytes_a_word.append(streams["snapshot"]["used_bytes"] / words)
        trace.unlink()
        return {"pause_ms": statistics.median(held) / 1e6, "pause_all_s": statistics.median(written) / 1e9,
                "pause_bytes": statistics.median(bytes_a_word)}
