"""check.py GENERATOR ANALYZER: the summary of a synthetic trace is what the generator says is true of it."""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import analysis  # noqa: E402

SHAPES = (  # events, live, threads, stacks, seed
    (1, 1, 4, 1, 0),
    (300_000, 20_000, 4, 10_000, 1),
    (300_000, 50, 1, 300, 2),
    (300_000, 3_000, 64, 2_000, 3),
)


def output_of(*command):
    return json.loads(subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True).stdout)


def wrong(generator, analyzer, shape, directory):
    trace = pathlib.Path(directory) / "synthetic.bin"
    options = [f"--{name}={value}" for name, value in zip(("events", "live", "threads", "stacks", "seed"), shape)]
    totals = output_of(generator, *options, "-o", trace)
    found = output_of(analyzer, "summary", "--no-symbols", "--json", trace)
    lines = analysis.differences(totals, found)
    if totals["trace"]["events"] != shape[0]:
        lines.append(f"{totals['trace']['events']} events were made")
    return [f"{' '.join(options)}: {line}" for line in lines]


def main():
    with tempfile.TemporaryDirectory() as directory:
        lines = [line for shape in SHAPES for line in wrong(*sys.argv[1:], shape, directory)]
    print("\n".join(lines) or f"{len(SHAPES)} traces are read as they were made")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
