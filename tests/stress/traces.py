"""What memprof-analyze says of all traces of a run, summed up."""
import collections
import concurrent.futures
import json
import subprocess


class Traces:
    def __init__(self, analyzer, directory):
        self.analyzer = analyzer
        self.count = self.events = self.bytes = self.unknown_orphans = self.double_allocations = 0
        self.checked = self.mismatches = self.unborn = 0
        self.dropped = collections.Counter()  # by cause
        self.ends = collections.Counter()  # how the processes ended
        self.summaries = []
        self.problems = []  # (what, file)
        # Names ending in .old are of a process whose number was used again.
        files = sorted(directory.iterdir())
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for file, summary in zip(files, pool.map(lambda file: summarize(analyzer, file), files)):
                self.take(file, summary)

    def take(self, file, summary):
        self.count += 1
        self.bytes += file.stat().st_size
        if isinstance(summary, str) and is_unborn(file):
            self.unborn += 1
            return
        if isinstance(summary, str):
            self.problems.append((summary, file))
            return
        header = summary["trace"]
        self.events += header["events"]
        self.dropped.update(summary["dropped"])
        self.ends[header["end"]] += 1
        self.checked += summary["verify"]["checked"]
        self.mismatches += summary["verify"]["mismatches"]
        self.summaries.append((summary, file))
        unknown = sum(account["orphaned"]["unknown"] for account in (summary, *summary["domains"].values()))
        double = sum(account["double_allocations"] for account in (summary, *summary["domains"].values()))
        self.unknown_orphans += unknown
        self.double_allocations += double
        who = " ".join(header["command"])[:120]
        for number, what in ((unknown, "unknown orphans"), (double, "double allocations"),
                             (header["damaged_pages"], "damaged pages"),
                             (summary["verify"]["mismatches"], "stacks that libunwind sees differently"),
                             (header["dropped_events"], f"dropped events ({', '.join(summary['dropped'])})")):
            if number:
                self.problems.append((f"{number:,} {what}: {who}", file))
        if header["end"] == "running":
            self.problems.append((f"still running: {who}", file))
        elif not header["complete"] and header["end"] != "died":
            self.problems.append((f"incomplete, {header['end']}: {who}", file))

    def largest(self):
        """The summary with the most events, and its file."""
        return max(self.summaries, key=lambda pair: pair[0]["trace"]["events"], default=None)

    def chunks(self, file, state):
        done = subprocess.run([self.analyzer, "chunks", "--no-symbols", "--state", state, file], stdout=subprocess.PIPE,
                              check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def allocators(self, file):
        """How many blocks each allocating function gave."""
        done = subprocess.run([self.analyzer, "stacks", "--group", "allocator", "--by", "allocations", "--top", "0", "--json",
                               "--no-symbols", file],
                              stdout=subprocess.PIPE, check=True)
        return {group["allocator"]: group["allocations"] for group in json.loads(done.stdout)["stacks"]}


def is_unborn(file):
    """The header gets its checksum, at offset 184, when it is whole; before, a signal ended the process."""
    with open(file, "rb") as trace:
        header = trace.read(192)
    return not any(header[184:])


def summarize(analyzer, file):
    command = [analyzer, "summary", "--json", "--no-symbols", "--top", "1", "--max-frames", "1", file]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        return "memprof-analyze takes more than 900 s"
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()[-200:]
        return f"memprof-analyze ends with {done.returncode}: {words}"
    return json.loads(done.stdout)
